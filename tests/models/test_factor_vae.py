"""The FactorVAE: shuffled latents, a density ratio against a known one, and who learns what."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.models.base import Batch, Recipe
from latent_atlas.models.factor_vae import Discriminator, FactorVAE, shuffle


def model(gamma: float = 5.0) -> FactorVAE:
    torch.manual_seed(0)
    options = {"gamma": gamma, "units": 16, "layers": 2}
    return FactorVAE(
        Recipe((8, 6, 1), 3, "mlp", "bernoulli", 1.0, {"reconstruction": 0.5}, options)
    )


def batch(images: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, 1, 8, 6, generator=generator),
        torch.randn(images, 6, generator=generator),
        torch.zeros(images, dtype=torch.int64),
    )


def test_each_latent_is_shuffled_on_its_own() -> None:
    codes = torch.arange(12.0).view(4, 3)
    keys = torch.tensor([[0.0, 3, 9], [1, 2, 7], [2, 1, 8], [3, 0, 6]])
    shuffled = shuffle(codes, keys)
    assert shuffled.tolist() == [[0, 10, 11], [3, 7, 5], [6, 4, 8], [9, 1, 2]]


def test_shuffling_keeps_marginals_and_ends_correlations() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(20_000, generator=generator)
    codes = torch.stack([first, first, -first], 1)
    shuffled = shuffle(codes, torch.randn(20_000, 3, generator=generator))
    torch.testing.assert_close(shuffled.sort(0).values, codes.sort(0).values)
    off_diagonal = torch.corrcoef(shuffled.T) - torch.eye(3)
    assert off_diagonal.abs().max() < 0.03


def correlated(rows: int, correlation: float, generator: torch.Generator) -> Tensor:
    first, second = torch.randn(2, rows, generator=generator)
    return torch.stack([first, correlation * first + math.sqrt(1 - correlation**2) * second], 1)


def test_the_discriminator_estimates_a_known_total_correlation() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    correlation = 0.8
    critic = Discriminator(2, 48, 2)
    optimizer = torch.optim.Adam(critic.parameters(), 3e-3, betas=(0.5, 0.9))
    for _ in range(300):
        codes = correlated(500, correlation, generator)
        apart = shuffle(codes, torch.randn(500, 2, generator=generator))
        loss = (F.softplus(-critic(codes)) + F.softplus(critic(apart))).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        codes = correlated(20_000, correlation, generator)
        x, y = codes.T
        exact = (2 * correlation * x * y - correlation**2 * (x**2 + y**2)) / (
            2 * (1 - correlation**2)
        ) - math.log(1 - correlation**2) / 2
        near = codes.abs().amax(1) < 2
        logits = critic(codes)
    expected = -math.log(1 - correlation**2) / 2
    assert logits.mean().item() == pytest.approx(expected, abs=0.08)
    assert (logits - exact)[near].abs().mean() < 0.2


def test_gamma_weighs_the_estimated_total_correlation() -> None:
    factor, given = model(gamma=5.0), batch()
    losses = factor(given)
    codes = factor.sample(given)[2]
    torch.testing.assert_close(losses["total_correlation"], factor.discriminator(codes))
    torch.testing.assert_close(
        losses["loss"],
        0.5 * losses["reconstruction"] + losses["kl"] + 5 * losses["total_correlation"],
    )


def test_the_discriminator_is_told_which_codes_are_shuffled() -> None:
    factor, given = model(), batch()
    codes = factor.sample(given)[2]
    shuffled = shuffle(codes, given.noise[:, 3:])
    both = torch.cat([factor.discriminator(codes), factor.discriminator(shuffled)])
    truth = torch.cat([torch.ones(16), torch.zeros(16)])
    losses = factor(given, "discriminator")
    expected = F.binary_cross_entropy_with_logits(both, truth)
    torch.testing.assert_close(losses["discriminator_loss"].mean(), expected)
    assert losses["told"].mean() == ((both > 0) == truth.bool()).float().mean()


def test_each_phase_moves_its_own_parts() -> None:
    factor = model()
    phases = factor.phases()
    assert list(phases) == ["model", "discriminator"]
    assert phases["model"].parts == ("encoder", "decoder")
    factor(batch(), "discriminator")["discriminator_loss"].mean().backward()
    assert all(weight.grad is None for weight in factor.encoder.parameters())
    assert all(weight.grad is not None for weight in factor.discriminator.parameters())


def test_the_codes_noise_is_not_the_shuffles() -> None:
    factor, given = model(), batch()
    other = given._replace(noise=torch.cat([given.noise[:, :3], given.noise[:, 3:].flip(0)], 1))
    torch.testing.assert_close(factor(given)["loss"], factor(other)["loss"])
    assert not torch.equal(
        factor(given, "discriminator")["discriminator_loss"],
        factor(other, "discriminator")["discriminator_loss"],
    )
