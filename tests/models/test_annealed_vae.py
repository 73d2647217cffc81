"""The annealed VAE: the schedule of the capacity, and the loss."""

from __future__ import annotations

import pytest
import torch

from latent_atlas.models.annealed_vae import AnnealedVAE, capacity
from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.annealed_vae import AnnealedVAEOptions


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
    options = AnnealedVAEOptions(gamma=10.0, capacity=most)
    model = AnnealedVAE(
        ModelConfig((8, 6, 1), 3, "mlp", "bernoulli", 0.0, {"reconstruction": 0.5}, options)
    )
    images = torch.rand(7, 1, 8, 6, generator=torch.Generator().manual_seed(1))
    terms: dict[str, torch.Tensor] = model(
        Batch(images, torch.ones(7, 3), torch.zeros(7), progress)
    )
    return terms


@pytest.mark.parametrize(("progress", "most"), [(0.0, 4.0), (0.5, 4.0), (1.0, 50.0)])
def test_the_excess_is_the_distance_from_the_capacity(progress: float, most: float) -> None:
    terms = losses(progress, most)
    excess = abs(terms["kl"].mean().item() - progress * most)
    assert terms["excess"].tolist() == pytest.approx([excess] * 7)
    torch.testing.assert_close(terms["loss"], 0.5 * terms["reconstruction"] + 10 * terms["excess"])


def test_without_capacity_it_is_a_beta_vae_of_gamma() -> None:
    terms = losses(0.0, 4.0)
    expected = 0.5 * terms["reconstruction"].mean() + 10 * terms["kl"].mean()
    torch.testing.assert_close(terms["loss"].mean(), expected)
