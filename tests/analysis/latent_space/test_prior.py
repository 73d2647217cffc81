"""Tests of distributions: they detect differences, and their error rate is the stated level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as energy_of_scipy

from latent_atlas.analysis.latent_space.prior import (
    energy_distance,
    rejected_latents,
    sample_aggregate_posterior,
)
from latent_atlas.analysis.latent_space.spread import Codes


def normal(count: int, dim: int, seed: int) -> Codes:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def test_normal_latents_are_not_rejected_and_others_are() -> None:
    codes = normal(400, 40, 0)
    assert rejected_latents(codes) <= 0.05
    assert rejected_latents(3 * codes + 7) == rejected_latents(codes)
    codes[:, :10] = np.random.default_rng(1).uniform(-2, 2, (400, 10))
    codes[:, 10] = 1
    # All eleven, and at most a few of the twenty-nine normal ones by chance.
    assert 11 / 40 <= rejected_latents(codes) <= 14 / 40
    with pytest.raises(ValueError, match="expected at least 20"):
        rejected_latents(codes[:19])


def test_the_energy_distance_is_that_of_its_definition() -> None:
    a, b = normal(15, 3, 0), normal(20, 3, 1) + 1
    between = cdist(a, b).mean()
    expected = 1 - (cdist(a, a).mean() + cdist(b, b).mean()) / (2 * between)
    assert energy_distance(a, b, 20, 0).distance == pytest.approx(expected)
    # The square of SciPy's one-dimensional distance is E of Székely and Rizzo.
    x, y = a[:, :1], b[:, :1]
    share = energy_of_scipy(x[:, 0], y[:, 0]) ** 2 / (2 * cdist(x, y).mean())
    assert energy_distance(x, y, 20, 0).distance == pytest.approx(share)


def test_two_points_have_distance_one_and_equal_sets_zero() -> None:
    a = normal(10, 2, 0)
    points = energy_distance(np.zeros((5, 2), np.float32), np.ones((5, 2), np.float32), 50, 0)
    assert points.distance == pytest.approx(1)
    assert points.p < 0.05
    same = energy_distance(a, a, 50, 0)
    assert same.distance == pytest.approx(0, abs=1e-12)
    assert same.p == 1


def test_a_shift_is_detected_and_lies_in_the_interval() -> None:
    shifted = energy_distance(normal(100, 5, 0), normal(100, 5, 1) + 0.5, 100, 0)
    assert shifted.p < 0.02
    assert shifted.low < shifted.distance < shifted.high
    large = energy_distance(normal(1500, 5, 2), normal(1500, 5, 3) + 0.5, 20, 0).distance
    # The estimate from few codes is larger, by the distance of two samples of one distribution.
    chance = energy_distance(normal(100, 5, 4), normal(100, 5, 5), 20, 0).distance
    assert shifted.low < large + chance < shifted.high


def test_equal_distributions_are_rejected_at_the_rate_of_the_level() -> None:
    p = [energy_distance(normal(25, 3, i), normal(25, 3, 10_000 + i), 99, i).p for i in range(200)]
    assert np.mean(np.array(p) <= 0.05) < 0.1
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_the_aggregate_posterior_has_the_noise_of_the_posteriors() -> None:
    means = np.zeros((20_000, 2), np.float32)
    spread = np.log(np.array([[4.0, 0.25]], np.float32)).repeat(20_000, 0)
    np.testing.assert_allclose(
        sample_aggregate_posterior(means, spread, 0).std(0), [2, 0.5], rtol=0.02
    )
    assert sample_aggregate_posterior(means, None, 0) is means
