"""Generative metrics: analytic cases, the papers' formulas, and torch-fidelity's whole metrics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.special import softmax
from torch import Tensor
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from latent_atlas.metrics import generative
from latent_atlas.metrics.generative import (
    frechet_distance,
    inception_score,
    kid,
    precision_recall_density_coverage,
)

Features = npt.NDArray[np.float64]


def cloud(count: int, mean: float = 0.0, scale: float = 1.0, seed: int = 0) -> Features:
    return mean + scale * np.random.default_rng(seed).standard_normal((count, 8))


def tensor(features: Features) -> Tensor:
    return torch.from_numpy(features)


def test_frechet_of_two_gaussians_with_known_moments() -> None:
    # Per axis: (μ − ν)² + (σ − τ)².
    near = frechet_distance(cloud(20_000), cloud(20_000, mean=2.0, scale=3.0, seed=1))
    assert near == pytest.approx(8 * (4 + 4), rel=0.03)
    same = cloud(500)
    assert frechet_distance(same, same) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(same, same + 1) == pytest.approx(8)
    few = cloud(5)  # fewer images than features: the covariance has no full rank
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("count", [200, 6])
def test_frechet_distance_is_the_formula(count: int) -> None:
    real, fake = cloud(300), cloud(count, mean=0.5, scale=1.5, seed=1)
    sigma, tau = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    means = np.square(real.mean(0) - fake.mean(0)).sum()
    expected = means + np.trace(sigma + tau - 2 * sqrtm(sigma @ tau).real)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_float32_features_is_computed_in_float64() -> None:
    real, fake = cloud(300).astype(np.float32), cloud(200, mean=0.5, seed=1).astype(np.float32)
    assert frechet_distance(real, fake) == frechet_distance(
        real.astype(np.float64), fake.astype(np.float64)
    )


def test_frechet_distance_of_a_single_feature() -> None:
    real, fake = np.array([[0.0], [2.0]]), np.array([[5.0], [9.0]])  # variances 2 and 8
    assert frechet_distance(real, fake) == pytest.approx(6**2 + 2 + 8 - 2 * 4)


def test_kid_agrees_with_torch_fidelity() -> None:
    real, fake = cloud(200), cloud(200, mean=0.5, seed=1)
    theirs = kid_features_to_metric(
        tensor(real), tensor(fake), kid_subsets=1, kid_subset_size=200, verbose=False
    )
    expected = theirs["kernel_inception_distance_mean"]
    assert kid(real, fake, 0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("neighbours", [3, 5])
def test_precision_and_recall_agree_with_torch_fidelity(neighbours: int) -> None:
    real, fake = cloud(300), cloud(200, mean=0.5, scale=1.5, seed=1)
    # In torch-fidelity the first set is the generated one.
    theirs = prc_features_to_metric(
        tensor(fake), tensor(real), prc_neighborhood=neighbours, verbose=False
    )
    values = precision_recall_density_coverage(real, fake, neighbours)
    assert 0.1 < values["precision"] < 0.9
    assert values["precision"] == pytest.approx(theirs["precision"])
    assert values["recall"] == pytest.approx(theirs["recall"])


def test_kid_of_equal_distributions_is_near_zero_and_unbiased() -> None:
    values = [kid(cloud(100, seed=2 * s), cloud(100, seed=2 * s + 1), 0) for s in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40) + 1e-3
    assert min(values) < 0


def test_kid_of_smaller_sets_of_two_sizes_is_of_all_images() -> None:
    real, fake = cloud(200), cloud(150, mean=0.5, seed=1)
    assert kid(real, fake, 0) == kid(real, fake, 1)

    def kernel(a: Features, b: Features) -> Features:
        powers: Features = (a @ b.T / 8 + 1) ** 3
        return powers

    within = [kernel(part, part)[~np.eye(len(part), dtype=bool)].mean() for part in (real, fake)]
    assert kid(real, fake, 0) == pytest.approx(sum(within) - 2 * kernel(real, fake).mean())


def test_kid_of_larger_sets_is_a_mean_over_subsets(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = cloud(400), cloud(300, mean=0.5, seed=1)
    whole = kid(real[:300], fake, 0)
    monkeypatch.setattr(generative, "KID_SIZE", 100)
    assert kid(real, fake, 0) == pytest.approx(whole, rel=0.2)
    assert kid(real, fake, 0) == kid(real, fake, 0)


def test_precision_recall_density_coverage_of_equal_and_of_distant_distributions() -> None:
    same = precision_recall_density_coverage(cloud(400), cloud(400, seed=1))
    assert min(same.values()) > 0.75
    assert same["density"] == pytest.approx(1, abs=0.2)
    apart = precision_recall_density_coverage(cloud(400), cloud(400, mean=50.0, seed=1))
    assert set(apart.values()) == {0.0}


def test_a_narrow_generator_has_high_precision_and_low_recall() -> None:
    values = precision_recall_density_coverage(cloud(400), cloud(400, scale=0.2, seed=1))
    assert values["precision"] > 0.95
    assert values["recall"] < 0.1
    wide = precision_recall_density_coverage(cloud(400, scale=0.2), cloud(400, seed=1))
    assert wide["precision"] < 0.1
    assert wide["recall"] > 0.95


def test_precision_recall_density_coverage_by_hand() -> None:
    real, fake = np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [1.5], [100.0]])
    # Balls to the nearest other: real 1, 1, 9; generated 1, 1, 98.5.
    values = precision_recall_density_coverage(real, fake, neighbours=1)
    assert values == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(1.0),
        "density": pytest.approx(4 / 3),
        "coverage": pytest.approx(1.0),
    }


def test_inception_score_is_1_for_equal_images_and_the_number_of_certain_classes() -> None:
    assert inception_score(np.tile(cloud(1), (50, 1))) == pytest.approx((1, 0))
    certain = 1000 * np.eye(8)[np.arange(160) % 8]
    assert inception_score(certain) == pytest.approx((8, 0))
    # Two splits of 4 and 2 classes: not that of all images at once.
    halves = 1000 * np.eye(8)[[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5]]
    assert inception_score(halves, splits=2) == pytest.approx((3, 1))


@pytest.mark.parametrize("count", [100, 103])
def test_inception_score_is_the_formula(count: int) -> None:
    logits = cloud(count, scale=3.0)
    scores = []
    for part in range(10):
        p = softmax(logits[count * part // 10 : count * (part + 1) // 10], axis=1)
        scores.append(np.exp((p * np.log(p / p.mean(0))).sum(1).mean()))
    mean, deviation = inception_score(logits)
    assert mean == pytest.approx(np.mean(scores), rel=1e-9)
    assert deviation == pytest.approx(np.std(scores), rel=1e-9)
