"""Spread of codes with known variances, directions and distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from latent_atlas.analysis.latent_space.spread import (
    Codes,
    centroid_offset,
    effective_rank,
    first_angles,
    mean_pair_distances,
    spectrum,
    variance_shares,
)


def ball(count: int, dim: int, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def line(direction: list[float], count: int = 50) -> Codes:
    along = np.linspace(-1, 1, count)[:, None]
    return (along * np.array(direction)).astype(np.float32)


def test_the_variance_shares_of_a_ball_are_equal() -> None:
    shares = variance_shares(ball(20_000, 5), 10)
    np.testing.assert_allclose(shares[:5], 0.2, atol=0.01)
    assert (shares[5:] == 0).all()


def test_variance_shares_do_not_depend_on_rotation() -> None:
    deviations = np.array([3.0, 2.0, 1.0, 0.0])
    codes = ball(5000, 4) * deviations.astype(np.float32)
    rotated = (codes @ ortho_group.rvs(4, random_state=1)).astype(np.float32)
    expected = deviations**2 / (deviations**2).sum()
    for part in (codes, rotated):
        np.testing.assert_allclose(variance_shares(part, 4), expected, atol=0.02)
    variances, directions = spectrum(codes)
    np.testing.assert_allclose(variances, codes.var(0, ddof=1), rtol=0.01, atol=1e-6)
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-10)
    assert (directions[np.arange(4), np.abs(directions).argmax(1)] > 0).all()


def test_effective_rank_counts_directions() -> None:
    assert effective_rank(line([1, 2, 3])) == pytest.approx(1, abs=1e-6)
    assert effective_rank(ball(20_000, 6)) == pytest.approx(6, abs=0.02)
    assert effective_rank(np.ones((5, 3), np.float32)) == 0
    assert effective_rank(np.ones((1, 3), np.float32)) == 0


@pytest.mark.parametrize("degrees", [0, 30, 60, 90])
def test_the_angle_of_a_rotated_line(degrees: int) -> None:
    rotated = line([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    angle, signed = first_angles(rotated, line([1, 0]))
    assert angle == pytest.approx(degrees, abs=1e-3)
    assert signed == pytest.approx(degrees, abs=1e-3)


def test_the_sign_convention_changes_the_signed_angle_only() -> None:
    # The line at 110° is 70° away; the sign of its largest entry makes the signed angle 110°.
    rotated = line([np.cos(np.radians(110)), np.sin(np.radians(110))])
    angle, signed = first_angles(rotated, line([1, 0]))
    assert angle == pytest.approx(70, abs=1e-3)
    assert signed == pytest.approx(110, abs=1e-3)


def test_angles_of_constant_codes_are_nan() -> None:
    for count in (1, 5):
        same = np.full((count, 2), 0.3, np.float32)
        assert np.isnan(first_angles(same, line([1, 0]))).all()
        assert np.isnan(first_angles(line([1, 0]), same)).all()


def test_the_offset_of_centroids_is_their_distance_along_the_axes() -> None:
    codes = np.array([[1, 1], [3, 3]], np.float32)
    assert centroid_offset(codes, np.zeros((4, 2), np.float32)) == 4


def test_mean_distances_of_pairs() -> None:
    codes = np.array([[0, 0], [3, 4], [0, 0]], np.float32)
    assert mean_pair_distances(codes) == pytest.approx((14 / 3, 10 / 3))
    manhattan, euclidean = mean_pair_distances(ball(500, 100))
    assert manhattan / 100 == pytest.approx(2 / np.sqrt(np.pi), rel=0.01)
    assert euclidean == pytest.approx(np.sqrt(2 * 100), rel=0.01)
    assert np.isnan(mean_pair_distances(codes[:1])).all()
