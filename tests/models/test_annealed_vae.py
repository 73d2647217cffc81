"""The capacity: its schedule at points, and how the loss holds to it."""

from __future__ import annotations

import pytest
import torch

from latent_atlas.models.annealed_vae import AnnealedVAE, capacity
from latent_atlas.models.base import Batch, Recipe


@pytest.mark.parametrize(
    ("progress", "until", "stairs", "expected"),
    [
        (0.0, 1.0, 0, 0.0),
        (0.25, 1.0, 0, 6.0),
        (1.0, 1.0, 0, 24.0),
        (0.25, 0.5, 0, 12.0),
        (0.75, 0.5, 0, 24.0),
        (0.0, 0.0, 0, 24.0),
        (0.0, 1.0, 3, 8.0),
        (0.33, 1.0, 3, 8.0),
        (0.34, 1.0, 3, 16.0),
        (0.67, 1.0, 3, 24.0),
        (1.0, 1.0, 3, 24.0),
        (0.3, 0.5, 2, 24.0),
        (0.2, 0.5, 2, 12.0),
    ],
)
def test_the_schedule_at_points(
    progress: float, until: float, stairs: int, expected: float
) -> None:
    assert capacity(progress, 24.0, until, stairs) == pytest.approx(expected)


def losses(progress: float, most: float) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    options = {"gamma": 10.0, "capacity": most, "until": 1.0, "stairs": 0}
    model = AnnealedVAE(
        Recipe((8, 6, 1), 3, "mlp", "bernoulli", 0.0, {"reconstruction": 0.5}, options)
    )
    images = torch.rand(7, 1, 8, 6, generator=torch.Generator().manual_seed(1))
    given: dict[str, torch.Tensor] = model(
        Batch(images, torch.ones(7, 3), torch.zeros(7), progress)
    )
    return given


@pytest.mark.parametrize(("progress", "most"), [(0.0, 4.0), (0.5, 4.0), (1.0, 50.0)])
def test_what_the_latents_hold_beyond_or_below_the_capacity_costs(
    progress: float, most: float
) -> None:
    found = losses(progress, most)
    excess = abs(found["kl"].mean().item() - progress * most)
    assert found["excess"].tolist() == pytest.approx([excess] * 7)
    torch.testing.assert_close(found["loss"], 0.5 * found["reconstruction"] + 10 * found["excess"])


def test_at_no_capacity_it_is_a_beta_vae_of_gamma() -> None:
    found = losses(0.0, 4.0)
    expected = 0.5 * found["reconstruction"].mean() + 10 * found["kl"].mean()
    torch.testing.assert_close(found["loss"].mean(), expected)
