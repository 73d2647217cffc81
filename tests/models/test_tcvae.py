"""The β-TCVAE: the decomposition of the KL, and estimates of known values."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.tcvae import TCVAEOptions
from latent_atlas.models.tcvae import TCVAE, Parts, decompose, log_normal, log_weights
from latent_atlas.models.vae import VAE, kl_to_standard_normal


def model(beta: float = 4.0, images: int = 1000) -> TCVAE:
    torch.manual_seed(0)
    return TCVAE(
        ModelConfig(
            (8, 6, 1),
            3,
            "mlp",
            "bernoulli",
            beta,
            {"reconstruction": 0.5},
            TCVAEOptions(images=images),
        )
    )


def new_batch(images: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, 1, 8, 6, generator=generator),
        torch.randn(images, 3, generator=generator),
        torch.zeros(images, dtype=torch.int64),
    )


def of_gaussian(rows: int, correlation: float, noise: float, images: int) -> Parts:
    """The parts for a Gaussian q(z) of unit variances with this correlation."""
    generator = torch.Generator().manual_seed(2)
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]]) - noise * torch.eye(2)
    root = torch.linalg.cholesky(covariance)
    mean = torch.randn(rows, 2, generator=generator) @ root.T
    draws = torch.randn(rows, 2, generator=generator)
    log_variance = torch.full((rows, 2), math.log(noise))
    return decompose(mean + math.sqrt(noise) * draws, mean, log_variance, draws, images)


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.8])
def test_total_correlation_of_a_gaussian_with_known_correlation(correlation: float) -> None:
    parts = of_gaussian(1500, correlation, 0.15, images=10**6)
    exact = -math.log(1 - correlation**2) / 2
    assert parts.total_correlation.mean().item() == pytest.approx(exact, abs=0.04)
    # Each latent is N(0, 1), so the dimension-wise KL is 0. The information is the rest: that of
    # Gaussian noise of variance 0.15 in a Gaussian of this covariance.
    assert parts.dimension_kl.mean().item() == pytest.approx(0, abs=0.06)
    information = (math.log(1 - correlation**2) - 2 * math.log(0.15)) / 2
    assert parts.information.mean().item() == pytest.approx(information, abs=0.06)


def test_the_parts_sum_to_the_kl() -> None:
    generator = torch.Generator().manual_seed(3)
    mean = torch.randn(50, 4, generator=generator)
    log_variance = torch.randn(50, 4, generator=generator) - 1
    totals = []
    for _ in range(150):
        noise = torch.randn(50, 4, generator=generator)
        codes = mean + (log_variance / 2).exp() * noise
        parts = decompose(codes, mean, log_variance, noise, images=50)
        ratio = log_normal(codes, mean, log_variance) - log_normal(
            codes, torch.zeros(()), torch.zeros(())
        )
        torch.testing.assert_close(sum(parts), ratio.sum(1), rtol=1e-4, atol=1e-4)
        totals.append(torch.stack(parts).sum(0))
    expected = kl_to_standard_normal(mean, log_variance).sum(1).mean().item()
    assert torch.stack(totals).mean().item() == pytest.approx(expected, rel=0.03)


def test_over_all_images_the_parts_are_exact_divergences() -> None:
    """Two distant clusters of equal posteriors: information and total correlation are log 2."""
    mean = torch.tensor([[-9.0, -9.0], [9.0, 9.0]]).repeat(200, 1)
    noise = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    parts = decompose(mean + noise, mean, torch.zeros(400, 2), noise, images=400)
    assert parts.information.mean().item() == pytest.approx(math.log(2), abs=0.01)
    assert parts.total_correlation.mean().item() == pytest.approx(math.log(2), abs=0.01)


@pytest.mark.parametrize(("size", "images"), [(2, 2), (4, 4), (5, 100), (64, 10_000)])
def test_weights_lie_on_the_diagonal_and_sum_to_one(size: int, images: int) -> None:
    weights = log_weights(size, images).double().exp()
    torch.testing.assert_close(weights.diagonal(), torch.full((size,), 1 / images).double())
    torch.testing.assert_close(weights.sum(1), torch.ones(size).double())
    torch.testing.assert_close(weights, weights.T)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_mean_over_all_batches_is_the_density_of_all_codes(size: int) -> None:
    densities = torch.rand(6, generator=torch.Generator().manual_seed(4)).double()
    weights = log_weights(size, 6).double().exp()
    estimates = [
        (weights[0] * densities[[0, *others]]).sum()
        for others in itertools.combinations(range(1, 6), size - 1)
    ]
    torch.testing.assert_close(torch.stack(estimates).mean(), densities.mean())


def test_beta_weighs_only_the_total_correlation() -> None:
    batch = new_batch()
    losses = model(beta=7.0)(batch)
    expected = 0.5 * losses["reconstruction"] + losses["kl"] + 6 * losses["total_correlation"]
    torch.testing.assert_close(losses["loss"], expected)
    assert set(Parts._fields) < set(losses)


def test_with_beta_one_it_is_the_vae() -> None:
    ours, batch = model(beta=1.0), new_batch()
    plain = VAE(ModelConfig((8, 6, 1), 3, "mlp", "bernoulli", 1.0, {"reconstruction": 0.5}))
    plain.load_state_dict(ours.state_dict())
    for name, values in plain(batch).items():
        torch.testing.assert_close(ours(batch)[name], values)


def test_a_batch_of_one_image_has_no_information_and_no_correlation() -> None:
    parts = of_gaussian(1, 0.5, 0.15, images=10)
    assert parts.total_correlation.item() == pytest.approx(0, abs=1e-5)
    assert parts.information.item() == pytest.approx(0, abs=1e-5)
