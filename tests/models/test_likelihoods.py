"""The likelihoods: losses, means and their inverses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.models.likelihoods import (
    LIKELIHOODS,
    bernoulli_loss,
    gaussian_loss,
    laplace_loss,
)


@given(st.floats(-1e4, 1e4), st.floats(0, 1))
def test_bernoulli_never_overflows(logit: float, pixel: float) -> None:
    outputs = torch.full((1, 1, 1, 1), logit)
    loss = bernoulli_loss(outputs, torch.full((1, 1, 1, 1), pixel)).item()
    assert loss >= -1e-3
    assert loss <= abs(logit) + 1


def test_gaussian_is_half_the_squared_error() -> None:
    outputs, images = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    assert gaussian_loss(outputs, images).tolist() == [3 * 16 * 0.25 / 2] * 2


def test_laplace_is_the_absolute_error() -> None:
    outputs, images = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.25)
    assert laplace_loss(outputs, images).tolist() == [3 * 16 * 0.25] * 2


def test_losses_stay_in_float32_for_bfloat16_outputs() -> None:
    outputs = torch.randn(2, 3, 8, 8).to(torch.bfloat16)
    for likelihood in LIKELIHOODS.values():
        assert likelihood.loss(outputs, torch.rand(2, 3, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("name", ["bernoulli", "gaussian", "laplace"])
def test_the_mean_of_the_inverse_is_the_image(name: str) -> None:
    images = torch.linspace(0.01, 0.99, 12).view(1, 3, 2, 2)
    likelihood = LIKELIHOODS[name]
    torch.testing.assert_close(likelihood.mean(likelihood.inverse(images)), images)
    assert likelihood.inverse(torch.tensor([0.0, 1.0])).isfinite().all()
