"""Adversarial objectives and penalties against formulas worked by hand."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from latent_atlas.models.options.adversarial import Objective
from latent_atlas.models.translation import objectives

OBJECTIVES = get_args(Objective)
REAL = torch.tensor([[[0.0, 2.0]], [[-1.0, 1.0]]])
FAKE = torch.tensor([[[1.0, -1.0]], [[0.0, 3.0]]])


def s(value: float) -> float:
    """−log σ(−value)."""
    return math.log1p(math.exp(value))


DISCRIMINATOR = {
    "bce": [(s(0) + s(-2) + s(1) + s(-1)) / 2, (s(1) + s(-1) + s(0) + s(3)) / 2],
    "saturating": [(s(0) + s(-2) + s(1) + s(-1)) / 2, (s(1) + s(-1) + s(0) + s(3)) / 2],
    "least_squares": [(1 + 1 + 1 + 1) / 2, (4 + 0 + 0 + 9) / 2],
    "wgan_gp": [(1 - 1 - 0 - 2) / 2, (0 + 3 + 1 - 1) / 2],
}
GENERATOR = {
    "bce": [(s(-1) + s(1)) / 2, (s(0) + s(-3)) / 2],
    "saturating": [-(s(1) + s(-1)) / 2, -(s(0) + s(3)) / 2],
    "least_squares": [(0 + 4) / 2, (1 + 4) / 2],
    "wgan_gp": [0.0, -1.5],
}
SLOPES = {  # of the generator's loss with respect to a logit of 1 in two patches
    "bce": -(1 - 1 / (1 + math.exp(-1))) / 2,
    "saturating": -1 / (1 + math.exp(-1)) / 2,
    "least_squares": 0.0,
    "wgan_gp": -0.5,
}


def test_every_objective_is_tested() -> None:
    assert set(OBJECTIVES) == set(DISCRIMINATOR) == set(GENERATOR) == set(SLOPES)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_losses_are_means_over_the_patches_of_an_image(objective: Objective) -> None:
    discriminator = objectives.discriminator_loss(REAL, FAKE, objective)
    torch.testing.assert_close(discriminator, torch.tensor(DISCRIMINATOR[objective]).float())
    generator = objectives.generator_loss(FAKE, objective)
    torch.testing.assert_close(generator, torch.tensor(GENERATOR[objective]).float())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_slopes_of_the_generators_loss(objective: Objective) -> None:
    logits = FAKE.clone().requires_grad_(True)
    objectives.generator_loss(logits, objective).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 0, 0].item() == pytest.approx(SLOPES[objective], abs=1e-6)


def test_only_the_saturating_loss_has_no_slope_at_a_sure_discriminator() -> None:
    """Goodfellow et al. 2014, section 3: log(1 − D(G(z))) saturates."""
    slopes = {}
    for objective in ("bce", "saturating"):
        logit = torch.tensor([-20.0], requires_grad=True)
        objectives.generator_loss(logit, objective).sum().backward()  # type: ignore[no-untyped-call]
        assert logit.grad is not None
        slopes[objective] = logit.grad.item()
    assert slopes["bce"] == pytest.approx(-1)
    assert abs(slopes["saturating"]) < 1e-8


def test_outputs_may_be_single_numbers_and_of_half_precision() -> None:
    real, fake = torch.tensor([2.0, 0.0]).bfloat16(), torch.tensor([1.0, -1.0]).bfloat16()
    loss = objectives.discriminator_loss(real, fake, "least_squares")
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, torch.tensor([2.0, 2.0]))
    assert objectives.generator_loss(fake, "bce").dtype == torch.float32


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        # Above 0: one of two real patches, one of two. Below 0: one of two fake patches, none.
        ("bce", [0.5, 0.25]),
        ("saturating", [0.5, 0.25]),
        # Above ½: one of two, one of two. Below ½: one of two, one of two.
        ("least_squares", [0.5, 0.5]),
        ("wgan_gp", [0.5, 0.0]),
    ],
)
def test_accuracy(objective: Objective, expected: list[float]) -> None:
    found = objectives.accuracy(REAL.clone().requires_grad_(True), FAKE, objective)
    torch.testing.assert_close(found, torch.tensor(expected))
    assert not found.requires_grad


class Quadratic(nn.Module):
    """D(x) = w Σ x²: its gradient is 2 w x."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, images: Tensor) -> Tensor:
        return self.weight * images.square().sum((1, 2, 3))


def test_the_gradient_penalty_of_a_line() -> None:
    """D(x) = 3 x₁ + 4 x₂ has a gradient of norm 5 everywhere: the penalty is 16."""
    weights = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    penalty = objectives.gradient_penalty(
        lambda images: (images * weights).sum((1, 2, 3)),
        torch.rand(3, 2, 1, 1),
        torch.rand(3, 2, 1, 1),
    )
    torch.testing.assert_close(penalty, torch.full((3,), 16.0))


def test_the_gradient_penalty_and_its_gradient_at_points_between() -> None:
    """At x̂ = u x + (1 − u) y, of D = w Σ x²: (2 w ‖x̂‖ − 1)², with slope 2 (2 w ‖x̂‖ − 1) 2 ‖x̂‖."""
    real, fake = torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2) + 2
    network = Quadratic(0.7)
    torch.manual_seed(5)
    penalty = objectives.gradient_penalty(network, real, fake)
    torch.manual_seed(5)
    shares = torch.rand(5, 1, 1, 1)
    assert (shares != shares[0]).any()
    norms = (shares * real + (1 - shares) * fake).flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty, (2 * 0.7 * norms - 1).square())
    penalty.sum().backward()  # type: ignore[no-untyped-call]
    assert network.weight.grad is not None
    slope = (2 * (2 * 0.7 * norms - 1) * 2 * norms).sum()
    torch.testing.assert_close(network.weight.grad, slope)


def test_r1_and_its_gradient() -> None:
    """Of D = w Σ x²: ½ ‖2 w x‖² = 2 w² ‖x‖², with slope 4 w ‖x‖²."""
    real, network = torch.rand(4, 3, 2, 2), Quadratic(0.3)
    penalty = objectives.r1_penalty(network, real)
    squares = real.square().sum((1, 2, 3))
    torch.testing.assert_close(penalty, 2 * 0.3**2 * squares)
    penalty.sum().backward()  # type: ignore[no-untyped-call]
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, 4 * 0.3 * squares.sum())


def test_penalties_work_without_gradients_and_leave_none() -> None:
    real, fake, network = torch.rand(4, 3, 2, 2), torch.rand(4, 3, 2, 2), Quadratic(0.3)
    with torch.no_grad():
        values = [
            objectives.r1_penalty(network, real),
            objectives.gradient_penalty(network, real, fake),
        ]
    for value in values:
        assert not value.requires_grad
        assert (value > 0).all()
    assert network.weight.grad is None
