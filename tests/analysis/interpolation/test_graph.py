"""Geodesics on a graph of the data: a ring, a gap, and end points near each other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from latent_atlas.analysis.interpolation.curves import Codes, linear
from latent_atlas.analysis.interpolation.graph import graph_geodesics
from latent_atlas.analysis.interpolation.measures import measure_curves

RANDOM = np.random.default_rng(0)


def ring(count: int) -> Codes:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = 1 + 0.1 * RANDOM.random(count)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    codes: Codes = points.astype(np.float32)
    return codes


def test_graph_geodesics_lead_around_a_hole() -> None:
    data = ring(200)
    starts, ends = np.array([[1.05, 0]], np.float32), np.array([[-1.05, 0]], np.float32)
    curves = graph_geodesics(nn.Identity(), data, starts, ends, 20, neighbours=6)
    radius = np.linalg.norm(curves[0], axis=1)
    assert radius.min() > 0.9
    length = measure_curves(nn.Identity(), curves).length[0]
    assert np.pi < length < 1.15 * np.pi
    assert np.array_equal(curves[:, [0, -1]], np.stack([starts, ends], 1))
    steps = np.linalg.norm(np.diff(curves[0], axis=0), axis=1)
    assert steps.std() < 0.1 * steps.mean()


def test_edges_have_decoded_lengths() -> None:
    """Where the decoder lengthens the upper half of the ring, the curve takes the lower half."""

    def decode(z: Tensor) -> Tensor:
        return torch.cat([z, 10 * z[:, 1:].clamp_min(0)], 1)

    starts, ends = np.array([[1.05, 0.05]], np.float32), np.array([[-1.05, 0.05]], np.float32)
    lower = graph_geodesics(decode, ring(200), starts, ends, 20, neighbours=6)
    assert lower[0, 10, 1] < -0.9
    upper = graph_geodesics(nn.Identity(), ring(200), starts, ends, 20, neighbours=6)
    assert upper[0, 10, 1] > 0.9


def test_components_of_the_graph_are_joined_at_their_nearest_codes() -> None:
    left = np.stack([np.linspace(0, 1, 15), np.zeros(15)], 1).astype(np.float32)
    data = np.concatenate(
        [left, left + np.array([3, 0], np.float32), left + np.array([6, 0], np.float32)]
    )
    starts, ends = data[:1], data[-1:]
    curves = graph_geodesics(nn.Identity(), data, starts, ends, 14, neighbours=3)
    np.testing.assert_allclose(curves[0], linear(starts, ends, 14)[0], atol=1e-5)


def test_no_curve_leads_through_the_end_points_of_another() -> None:
    """The second pair lies in the hole, where a shorter route would lead through it."""
    data = ring(60)
    starts = np.array([[1.05, 0], [0.3, 0]], np.float32)
    ends = np.array([[-1.05, 0], [-0.3, 0]], np.float32)
    together = graph_geodesics(nn.Identity(), data, starts, ends, 10, neighbours=25)
    for number in range(2):
        pair = slice(number, number + 1)
        single = graph_geodesics(nn.Identity(), data, starts[pair], ends[pair], 10, 25)
        np.testing.assert_array_equal(together[pair], single)


def test_near_end_points_are_joined_directly() -> None:
    start, end = np.array([[1.5, 0.01]], np.float32), np.array([[1.5, -0.01]], np.float32)
    curves = graph_geodesics(nn.Identity(), ring(60), start, end, 4, neighbours=5)
    np.testing.assert_allclose(curves, linear(start, end, 4), atol=1e-6)


def test_a_curve_between_a_code_and_itself_is_a_point() -> None:
    data = ring(30)
    curves = graph_geodesics(nn.Identity(), data, data[:1], data[:1], 5, neighbours=4)
    np.testing.assert_array_equal(curves, np.repeat(data[None, :1], 6, axis=1))
