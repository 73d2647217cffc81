"""Geodesics of flat, spherical, trained-like and constant decoders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from latent_atlas.analysis.interpolation.curves import Codes, linear
from latent_atlas.analysis.interpolation.geodesic import geodesics
from latent_atlas.analysis.interpolation.measures import measure_curves
from tests.analysis.interpolation.decoders import flat, matrix, sphere

RANDOM = np.random.default_rng(0)


def codes(count: int, dim: int) -> Codes:
    return RANDOM.normal(size=(count, dim)).astype(np.float32)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 20)).requires_grad_(False)


def test_geodesics_of_a_flat_decoder_are_straight_and_of_known_length() -> None:
    starts, ends = codes(5, 4), codes(5, 4)
    initial = linear(starts, ends, 10)
    initial[:, 1:-1] += codes(5 * 9, 4).reshape(5, 9, 4)
    curves = geodesics(flat, starts, ends, 10, 60, initial=initial)
    np.testing.assert_allclose(curves, linear(starts, ends, 10), atol=2e-3)
    distances = np.linalg.norm((ends - starts) @ matrix().numpy(), axis=1)
    measures = measure_curves(flat, curves)
    np.testing.assert_allclose(measures.length, distances, rtol=1e-4)
    np.testing.assert_allclose(measures.energy, distances**2 / 2, rtol=1e-4)


def test_geodesics_of_a_sphere_are_great_circles() -> None:
    starts = np.array([[1.0, 0.0], [0.9, -0.5], [-0.3, 0.2]], np.float32)
    ends = np.array([[1.0, 1.5], [-0.4, 1.0], [0.5, 1.9]], np.float32)
    curves = geodesics(sphere, starts, ends, 12, 80)
    first, last = (sphere(torch.from_numpy(x)).numpy() for x in (starts, ends))
    angle = np.arccos((first * last).sum(1))
    # Twelve equal chords of the great circle.
    expected = 24 * np.sin(angle / 24)
    np.testing.assert_allclose(measure_curves(sphere, curves).length, expected, rtol=1e-4)
    assert measure_curves(sphere, linear(starts, ends, 12)).length[0] > 1.07 * expected[0]
    normal = np.cross(first, last)
    points = sphere(torch.from_numpy(curves.reshape(-1, 2))).numpy().reshape(3, 13, 3)
    assert np.abs((points * normal[:, None]).sum(2)).max() < 0.01
    assert np.array_equal(curves[:, [0, -1]], np.stack([starts, ends], 1))


@pytest.mark.parametrize("iterations", [1, 3, 40])
def test_no_curve_gains_energy(iterations: int) -> None:
    decode, starts, ends = network(), 3 * codes(6, 3), 3 * codes(6, 3)
    before = measure_curves(decode, linear(starts, ends, 10)).energy
    after = measure_curves(decode, geodesics(decode, starts, ends, 10, iterations)).energy
    assert np.all(after <= before * (1 + 1e-6))
    if iterations == 40:
        assert np.median(after / before) < 0.97


def test_geodesics_do_not_depend_on_the_other_pairs() -> None:
    decode, starts, ends = network(), codes(5, 3), codes(5, 3)
    together = geodesics(decode, starts, ends, 6, 20)
    one_by_one = geodesics(decode, starts, ends, 6, 20, points_at_once=1)
    np.testing.assert_allclose(together, one_by_one, atol=1e-3)


def test_geodesics_of_a_point_and_of_a_constant_decoder() -> None:
    starts = codes(2, 3)
    point = geodesics(network(), starts, starts, 5, 10)
    np.testing.assert_allclose(point, linear(starts, starts, 5), atol=1e-5)
    constant = geodesics(lambda z: z * 0, starts, codes(2, 3), 5, 10)
    assert np.isfinite(constant).all()
