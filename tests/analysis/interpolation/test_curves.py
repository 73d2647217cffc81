"""Lines, arcs and subdivided curves."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from latent_atlas.analysis.interpolation.curves import Codes, linear, spherical, subdivide
from latent_atlas.analysis.interpolation.measures import measure_curves

RANDOM = np.random.default_rng(0)


def codes(count: int, dim: int) -> Codes:
    return RANDOM.normal(size=(count, dim)).astype(np.float32)


def test_linear_curves_are_straight_with_equal_steps() -> None:
    starts, ends = codes(3, 5), codes(3, 5)
    curves = linear(starts, ends, 10)
    assert curves.shape == (3, 11, 5)
    assert np.array_equal(curves[:, 0], starts)
    assert np.array_equal(curves[:, -1], ends)
    np.testing.assert_allclose(curves[:, 5], (starts + ends) / 2, atol=1e-6)


def test_spherical_curves_stay_on_the_sphere_at_constant_speed() -> None:
    starts, ends = codes(4, 6), codes(4, 6)
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    curves = spherical(starts, ends, 8)
    np.testing.assert_allclose(np.linalg.norm(curves, axis=2), 1, atol=1e-6)
    steps = np.linalg.norm(np.diff(curves, axis=1), axis=2)
    np.testing.assert_allclose(steps, np.repeat(steps[:, :1], 8, axis=1), rtol=1e-4)
    np.testing.assert_allclose(curves[:, [0, -1]], np.stack([starts, ends], 1), atol=1e-6)


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
def test_a_spherical_curve_is_straight_where_the_arc_is_not_unique(factor: float) -> None:
    starts = codes(2, 3)
    curves = spherical(starts, starts * np.float32(factor), 4)
    np.testing.assert_allclose(curves, linear(starts, starts * factor, 4), atol=1e-6)


def test_subdividing_keeps_the_points_and_the_length() -> None:
    curves = codes(8, 3).reshape(2, 4, 3)
    fine = subdivide(curves, 5)
    assert fine.shape == (2, 16, 3)
    np.testing.assert_allclose(fine[:, ::5], curves, atol=1e-6)
    identity = nn.Identity()
    np.testing.assert_allclose(
        measure_curves(identity, fine).length, measure_curves(identity, curves).length, rtol=1e-5
    )
