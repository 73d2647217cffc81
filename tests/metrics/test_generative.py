"""Fréchet distance, KID and the shares: analytic cases, and torch-fidelity on the same features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from latent_atlas.metrics import generative
from latent_atlas.metrics.generative import frechet, inception_score, kid, shares

Features = npt.NDArray[np.float64]


def cloud(count: int, mean: float = 0.0, scale: float = 1.0, seed: int = 0) -> Features:
    return mean + scale * np.random.default_rng(seed).standard_normal((count, 8))


def tensor(features: Features) -> Tensor:
    return torch.from_numpy(features)


def test_frechet_of_two_gaussians_with_known_moments() -> None:
    # Per axis: (μ − ν)² + (σ − τ)².
    near = frechet(cloud(20_000), cloud(20_000, mean=2.0, scale=3.0, seed=1))
    assert near == pytest.approx(8 * (4 + 4), rel=0.03)
    same = cloud(500)
    assert frechet(same, same) == pytest.approx(0, abs=1e-8)
    assert frechet(same, same + 1) == pytest.approx(8)
    few = cloud(5)  # fewer images than features: the covariance has no full rank
    assert frechet(few, few) == pytest.approx(0, abs=1e-6)


def test_frechet_agrees_with_torch_fidelity() -> None:
    real, fake = cloud(300), cloud(200, mean=0.5, scale=1.5, seed=1)
    statistics = [fid_features_to_statistics(tensor(part)) for part in (real, fake)]
    theirs = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet(real, fake) == pytest.approx(theirs, rel=1e-9)


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
    # There the first set is the generated one.
    theirs = prc_features_to_metric(
        tensor(fake), tensor(real), prc_neighborhood=neighbours, verbose=False
    )
    found = shares(real, fake, neighbours)
    assert 0.1 < found["precision"] < 0.9
    assert found["precision"] == pytest.approx(theirs["precision"])
    assert found["recall"] == pytest.approx(theirs["recall"])


def test_kid_of_equal_distributions_is_near_zero_and_unbiased() -> None:
    found = [kid(cloud(100, seed=2 * s), cloud(100, seed=2 * s + 1), 0) for s in range(40)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40) + 1e-3
    assert min(found) < 0


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


def test_the_inception_score_is_one_for_equal_images_and_the_number_of_sure_classes() -> None:
    assert inception_score(np.tile(cloud(1), (50, 1))) == pytest.approx((1, 0))
    sure = 1000 * np.eye(8)[np.arange(160) % 8]
    assert inception_score(sure) == pytest.approx((8, 0))
    # Two splits of 4 and 2 classes: not that of all images at once.
    halves = 1000 * np.eye(8)[[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 4, 5, 4, 5, 4, 5]]
    assert inception_score(halves, splits=2) == pytest.approx((3, 1))


@pytest.mark.parametrize("count", [100, 103])
def test_the_inception_score_agrees_with_torch_fidelity(count: int) -> None:
    logits = cloud(count, scale=3.0)
    theirs = isc_features_to_metric(tensor(logits), splits=10, shuffle=False)
    mean, deviation = inception_score(logits)
    assert mean == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert deviation == pytest.approx(theirs["inception_score_std"], rel=1e-9)
