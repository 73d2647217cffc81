"""The DIP-VAEs: covariance, penalties computed by hand, and their invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.dip_vae import DIPVAE1, DIPVAE2, covariance
from latent_atlas.models.options.dip_vae import DIPVAE2Options
from latent_atlas.models.sampling import Pass

OPTIONS = DIPVAE2Options(off_diagonal=3.0, diagonal=7.0)


def config() -> ModelConfig:
    return ModelConfig((8, 6, 1), 2, "mlp", "bernoulli", 1.0, {"reconstruction": 0.5}, OPTIONS)


def passed(mean: torch.Tensor, variance: float) -> Pass:
    zeros = torch.zeros(len(mean))
    log_variance = torch.full_like(mean, math.log(variance))
    return Pass(mean, log_variance, mean, zeros, torch.zeros_like(mean))


def test_covariance_is_numpys() -> None:
    rows = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    expected = np.cov(rows.double().numpy().T, bias=True)
    np.testing.assert_allclose(covariance(rows).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_covariance_keeps_its_digits_in_mixed_precision() -> None:
    rows = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = covariance(rows)
    assert torch.equal(mixed, covariance(rows))


# Means at the corners of a parallelogram: covariance [[4, 2], [2, 1.25]].
MEANS = torch.tensor([[2.0, 1.5], [2.0, 0.5], [-2.0, -0.5], [-2.0, -1.5]])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (DIPVAE1, 3 * 2 * 2**2 + 7 * ((4 - 1) ** 2 + (1.25 - 1) ** 2)),
        (DIPVAE2, 3 * 2 * 2**2 + 7 * ((4.5 - 1) ** 2 + (1.75 - 1) ** 2)),
    ],
)
def test_the_penalty_by_hand(model: type[DIPVAE1], expected: float) -> None:
    dip = model(config())
    penalty = dip.penalty(dip.covariance(passed(MEANS, variance=0.5)))
    assert penalty.item() == pytest.approx(expected)


@pytest.mark.parametrize(("model", "variance"), [(DIPVAE1, 1.0), (DIPVAE2, 0.75)])
def test_uncorrelated_latents_of_unit_variance_have_no_penalty(
    model: type[DIPVAE1], variance: float
) -> None:
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    dip = model(config())
    for codes in (corners, corners @ turn):
        result = passed(codes * math.sqrt(variance), variance=1 - variance + 1e-12)
        assert dip.penalty(dip.covariance(result)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("model", [DIPVAE1, DIPVAE2])
def test_the_penalty_is_part_of_the_loss_of_each_image(model: type[DIPVAE1]) -> None:
    torch.manual_seed(0)
    dip = model(config())
    losses = dip(Batch(torch.rand(9, 1, 8, 6), torch.randn(9, 2), torch.zeros(9)))
    expected = 0.5 * losses["reconstruction"] + losses["kl"] + losses["penalty"]
    torch.testing.assert_close(losses["loss"], expected)
    assert losses["penalty"].unique().numel() == 1
    losses["penalty"].sum().backward()
    assert any(weight.grad.abs().sum() > 0 for weight in dip.encoder.parameters())  # type: ignore[union-attr]
