"""Fréchet distance, KID and the shares: analytic cases, and torchmetrics on the same features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from stages.lib import generation
from stages.lib.generation import frechet, kid, shares

Features = npt.NDArray[np.float64]


def cloud(count: int, mean: float = 0.0, scale: float = 1.0, seed: int = 0) -> Features:
    return mean + scale * np.random.default_rng(seed).standard_normal((count, 8))


class Flat(nn.Module):
    """The features are the image's own numbers: B×1×1×8 to B×8."""

    num_features = 8

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def images(features: Features) -> Tensor:
    return torch.from_numpy(features).float()[:, None, None, :]


def test_frechet_of_two_gaussians_with_known_moments() -> None:
    # Per axis: (μ − ν)² + (σ − τ)².
    near = frechet(cloud(20_000), cloud(20_000, mean=2.0, scale=3.0, seed=1))
    assert near == pytest.approx(8 * (4 + 4), rel=0.03)
    same = cloud(500)
    assert frechet(same, same) == pytest.approx(0, abs=1e-8)
    assert frechet(same, same + 1) == pytest.approx(8)
    few = cloud(5)  # fewer images than features: the covariance has no full rank
    assert frechet(few, few) == pytest.approx(0, abs=1e-6)


def test_frechet_agrees_with_torchmetrics() -> None:
    real, fake = cloud(300), cloud(200, mean=0.5, scale=1.5, seed=1)
    metric = FrechetInceptionDistance(feature=Flat(), input_img_size=(1, 1, 8))
    metric.set_dtype(torch.float64)
    for part in torch.split(images(real), 70):
        metric.update(part, real=True)
    metric.update(images(fake), real=False)
    assert frechet(real, fake) == pytest.approx(metric.compute().item(), rel=1e-4)


def test_kid_agrees_with_torchmetrics() -> None:
    real, fake = cloud(200), cloud(200, mean=0.5, seed=1)
    metric = KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=200)
    metric.update(images(real), real=True)
    metric.update(images(fake), real=False)
    assert kid(real, fake, 0) == pytest.approx(metric.compute()[0].item(), rel=1e-4)


def test_kid_of_equal_distributions_is_near_zero_and_unbiased() -> None:
    found = [kid(cloud(100, seed=2 * s), cloud(100, seed=2 * s + 1), 0) for s in range(40)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40) + 1e-3
    assert min(found) < 0


def test_kid_of_larger_sets_is_a_mean_over_subsets(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = cloud(400), cloud(300, mean=0.5, seed=1)
    whole = kid(real[:300], fake, 0)
    monkeypatch.setattr(generation, "KID_SIZE", 100)
    assert kid(real, fake, 0) == pytest.approx(whole, rel=0.2)
    assert kid(real, fake, 0) == kid(real, fake, 0)


def test_shares_of_one_distribution_are_high_and_of_two_apart_zero() -> None:
    same = shares(cloud(400), cloud(400, seed=1))
    assert min(same.values()) > 0.75
    assert same["density"] == pytest.approx(1, abs=0.2)
    apart = shares(cloud(400), cloud(400, mean=50.0, seed=1))
    assert set(apart.values()) == {0.0}


def test_a_narrow_generator_is_precise_and_recalls_little() -> None:
    found = shares(cloud(400), cloud(400, scale=0.2, seed=1))
    assert found["precision"] > 0.95
    assert found["recall"] < 0.1
    wide = shares(cloud(400, scale=0.2), cloud(400, seed=1))
    assert wide["precision"] < 0.1
    assert wide["recall"] > 0.95


def test_shares_by_hand() -> None:
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [1.5], [100.0]])
    # Balls to the nearest other: real 1, 1, 9; generated 1, 1, 98.5.
    found = shares(real, fake, neighbours=1)
    assert found == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(1.0),
        "density": pytest.approx(4 / 3),
        "coverage": pytest.approx(1.0),
    }
