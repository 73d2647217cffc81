"""The FactorVAE: shuffled latents, a known density ratio, and the parts of each phase."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.factor_vae import Discriminator, FactorVAE, shuffle
from latent_atlas.models.options.factor_vae import FactorVAEOptions


def model(gamma: float = 5.0) -> FactorVAE:
    torch.manual_seed(0)
    options = FactorVAEOptions(gamma=gamma, units=16, layers=2)
    return FactorVAE(
        ModelConfig((8, 6, 1), 3, "mlp", "bernoulli", 1.0, {"reconstruction": 0.5}, options)
    )


def new_batch(images: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, 1, 8, 6, generator=generator),
        torch.randn(images, 6, generator=generator),
        torch.zeros(images, dtype=torch.int64),
    )


def test_latents_are_shuffled_independently() -> None:
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
    factor, batch = model(gamma=5.0), new_batch()
    losses = factor(batch)
    codes = factor.sample(batch)[2]
    torch.testing.assert_close(losses["total_correlation"], factor.discriminator(codes))
    torch.testing.assert_close(
        losses["loss"],
        0.5 * losses["reconstruction"] + losses["kl"] + 5 * losses["total_correlation"],
    )


def test_the_discriminator_loss_is_the_cross_entropy_of_shuffled_codes() -> None:
    factor, batch = model(), new_batch()
    codes = factor.sample(batch)[2]
    shuffled = shuffle(codes, batch.noise[:, 3:])
    both = torch.cat([factor.discriminator(codes), factor.discriminator(shuffled)])
    truth = torch.cat([torch.ones(16), torch.zeros(16)])
    losses = factor(batch, "discriminator")
    expected = F.binary_cross_entropy_with_logits(both, truth)
    torch.testing.assert_close(losses["discriminator_loss"].mean(), expected)
    assert losses["discriminator_accuracy"].mean() == ((both > 0) == truth.bool()).float().mean()


def test_each_phase_moves_its_own_parts() -> None:
    factor = model()
    phases = factor.phases()
    assert list(phases) == ["model", "discriminator"]
    assert phases["model"].parts == ("encoder", "decoder")
    factor(new_batch(), "discriminator")["discriminator_loss"].mean().backward()
    assert all(weight.grad is None for weight in factor.encoder.parameters())
    assert all(weight.grad is not None for weight in factor.discriminator.parameters())


def test_codes_and_shuffles_use_different_noise() -> None:
    factor, batch = model(), new_batch()
    other = batch._replace(noise=torch.cat([batch.noise[:, :3], batch.noise[:, 3:].flip(0)], 1))
    torch.testing.assert_close(factor(batch)["loss"], factor(other)["loss"])
    assert not torch.equal(
        factor(batch, "discriminator")["discriminator_loss"],
        factor(other, "discriminator")["discriminator_loss"],
    )
