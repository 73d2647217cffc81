"""Paths against what is known of them: flat and round decoders, a hole, parabolas, blends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latent_atlas.analysis.interpolation import curves
from latent_atlas.analysis.interpolation.curves import Codes

RANDOM = np.random.default_rng(0)


def globe(codes: Tensor) -> Tensor:
    """Latitude and longitude in radians to a point of the unit sphere."""
    latitude, longitude = codes.T
    return torch.stack(
        [
            latitude.cos() * longitude.cos(),
            latitude.cos() * longitude.sin(),
            latitude.sin(),
        ],
        1,
    )


def matrix() -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=(4, 9)).astype(np.float32))


def flat(codes: Tensor) -> Tensor:
    return codes @ matrix()


def codes(count: int, dim: int) -> Codes:
    return RANDOM.normal(size=(count, dim)).astype(np.float32)


def test_linear_paths_are_straight_and_even() -> None:
    starts, ends = codes(3, 5), codes(3, 5)
    found = curves.linear(starts, ends, 10)
    assert found.shape == (3, 11, 5)
    assert np.array_equal(found[:, 0], starts)
    assert np.array_equal(found[:, -1], ends)
    np.testing.assert_allclose(found[:, 5], (starts + ends) / 2, atol=1e-6)


def test_spherical_paths_stay_on_the_sphere_at_constant_speed() -> None:
    starts, ends = codes(4, 6), codes(4, 6)
    starts /= np.linalg.norm(starts, axis=1, keepdims=True)
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    found = curves.spherical(starts, ends, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-6)
    steps = np.linalg.norm(np.diff(found, axis=1), axis=2)
    np.testing.assert_allclose(steps, np.repeat(steps[:, :1], 8, axis=1), rtol=1e-4)
    np.testing.assert_allclose(found[:, [0, -1]], np.stack([starts, ends], 1), atol=1e-6)


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
def test_where_there_is_no_one_arc_the_path_is_straight(factor: float) -> None:
    starts = codes(2, 3)
    found = curves.spherical(starts, starts * np.float32(factor), 4)
    np.testing.assert_allclose(found, curves.linear(starts, starts * factor, 4), atol=1e-6)


def test_geodesics_of_a_flat_decoder_are_straight_and_of_known_length() -> None:
    starts, ends = codes(5, 4), codes(5, 4)
    bent = curves.linear(starts, ends, 10)
    bent[:, 1:-1] += codes(5 * 9, 4).reshape(5, 9, 4)
    found = curves.geodesics(flat, starts, ends, 10, 60, initial=bent)
    np.testing.assert_allclose(found, curves.linear(starts, ends, 10), atol=2e-3)
    apart = np.linalg.norm((ends - starts) @ matrix().numpy(), axis=1)
    measured = curves.measure(flat, found)
    np.testing.assert_allclose(measured.length, apart, rtol=1e-4)
    np.testing.assert_allclose(measured.energy, apart**2 / 2, rtol=1e-4)


def test_geodesics_of_a_sphere_are_great_circles() -> None:
    starts = np.array([[1.0, 0.0], [0.9, -0.5], [-0.3, 0.2]], np.float32)
    ends = np.array([[1.0, 1.5], [-0.4, 1.0], [0.5, 1.9]], np.float32)
    found = curves.geodesics(globe, starts, ends, 12, 80)
    first, last = (globe(torch.from_numpy(x)).numpy() for x in (starts, ends))
    angle = np.arccos((first * last).sum(1))
    # Twelve equal chords of the great circle.
    expected = 24 * np.sin(angle / 24)
    np.testing.assert_allclose(curves.measure(globe, found).length, expected, rtol=1e-4)
    assert curves.measure(globe, curves.linear(starts, ends, 12)).length[0] > 1.07 * expected[0]
    normal = np.cross(first, last)
    pictures = globe(torch.from_numpy(found.reshape(-1, 2))).numpy().reshape(3, 13, 3)
    assert np.abs((pictures * normal[:, None]).sum(2)).max() < 0.01
    assert np.array_equal(found[:, [0, -1]], np.stack([starts, ends], 1))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 20)).requires_grad_(False)


@pytest.mark.parametrize("iterations", [1, 3, 40])
def test_no_curve_gains_energy(iterations: int) -> None:
    decode, starts, ends = network(), 3 * codes(6, 3), 3 * codes(6, 3)
    before = curves.measure(decode, curves.linear(starts, ends, 10)).energy
    found = curves.geodesics(decode, starts, ends, 10, iterations)
    after = curves.measure(decode, found).energy
    assert np.all(after <= before * (1 + 1e-6))
    if iterations == 40:
        assert np.median(after / before) < 0.97


def test_geodesics_do_not_depend_on_their_company() -> None:
    decode, starts, ends = network(), codes(5, 3), codes(5, 3)
    together = curves.geodesics(decode, starts, ends, 6, 20)
    alone = curves.geodesics(decode, starts, ends, 6, 20, points_at_once=1)
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_geodesics_of_a_point_and_of_a_constant_decoder() -> None:
    starts = codes(2, 3)
    still = curves.geodesics(network(), starts, starts, 5, 10)
    np.testing.assert_allclose(still, curves.linear(starts, starts, 5), atol=1e-5)
    found = curves.geodesics(lambda z: z * 0, starts, codes(2, 3), 5, 10)
    assert np.isfinite(found).all()


def ring(count: int) -> Codes:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    radius = 1 + 0.1 * RANDOM.random(count)
    found: Codes = (np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]).astype(
        np.float32
    )
    return found


def test_graph_geodesics_go_around_a_hole() -> None:
    data = ring(200)
    starts, ends = np.array([[1.05, 0]], np.float32), np.array([[-1.05, 0]], np.float32)
    found = curves.graph_geodesics(nn.Identity(), data, starts, ends, 20, neighbours=6)
    radius = np.linalg.norm(found[0], axis=1)
    assert radius.min() > 0.9
    length = curves.measure(nn.Identity(), found).length[0]
    assert np.pi < length < 1.15 * np.pi
    assert np.array_equal(found[:, [0, -1]], np.stack([starts, ends], 1))
    steps = np.linalg.norm(np.diff(found[0], axis=0), axis=1)
    assert steps.std() < 0.1 * steps.mean()


def test_the_graph_is_as_long_as_the_decoding_says() -> None:
    """Where the upper half of the ring is decoded into a mountain, the way leads below it."""

    def decode(z: Tensor) -> Tensor:
        return torch.cat([z, 10 * z[:, 1:].clamp_min(0)], 1)

    starts, ends = np.array([[1.05, 0.05]], np.float32), np.array([[-1.05, 0.05]], np.float32)
    found = curves.graph_geodesics(decode, ring(200), starts, ends, 20, neighbours=6)
    assert found[0, 10, 1] < -0.9
    plain = curves.graph_geodesics(nn.Identity(), ring(200), starts, ends, 20, neighbours=6)
    assert plain[0, 10, 1] > 0.9


def test_parts_of_a_graph_are_joined_where_they_are_nearest() -> None:
    left = np.stack([np.linspace(0, 1, 15), np.zeros(15)], 1).astype(np.float32)
    data = np.concatenate(
        [left, left + np.array([3, 0], np.float32), left + np.array([6, 0], np.float32)]
    )
    starts, ends = data[:1], data[-1:]
    found = curves.graph_geodesics(nn.Identity(), data, starts, ends, 14, neighbours=3)
    np.testing.assert_allclose(found[0], curves.linear(starts, ends, 14)[0], atol=1e-5)


def test_no_graph_path_leads_through_the_end_points_of_another() -> None:
    """The second pair stands in the hole, where a shorter way would lead through it."""
    data = ring(60)
    starts = np.array([[1.05, 0], [0.3, 0]], np.float32)
    ends = np.array([[-1.05, 0], [-0.3, 0]], np.float32)
    together = curves.graph_geodesics(nn.Identity(), data, starts, ends, 10, neighbours=25)
    for number in range(2):
        pair = slice(number, number + 1)
        alone = curves.graph_geodesics(nn.Identity(), data, starts[pair], ends[pair], 10, 25)
        np.testing.assert_array_equal(together[pair], alone)


def test_near_end_points_are_joined_without_a_detour() -> None:
    start, end = np.array([[1.5, 0.01]], np.float32), np.array([[1.5, -0.01]], np.float32)
    found = curves.graph_geodesics(nn.Identity(), ring(60), start, end, 4, neighbours=5)
    np.testing.assert_allclose(found, curves.linear(start, end, 4), atol=1e-6)


def test_a_graph_path_between_a_code_and_itself() -> None:
    data = ring(30)
    found = curves.graph_geodesics(nn.Identity(), data, data[:1], data[:1], 5, neighbours=4)
    np.testing.assert_array_equal(found, np.repeat(data[None, :1], 6, axis=1))


def test_subdividing_keeps_the_points_and_lengthens_nothing() -> None:
    curve = codes(8, 3).reshape(2, 4, 3)
    fine = curves.subdivide(curve, 5)
    assert fine.shape == (2, 16, 3)
    np.testing.assert_allclose(fine[:, ::5], curve, atol=1e-6)
    identity = nn.Identity()
    np.testing.assert_allclose(
        curves.measure(identity, fine).length, curves.measure(identity, curve).length, rtol=1e-5
    )


def test_off_manifold_is_one_among_data_and_grows_with_the_distance() -> None:
    side = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), -1).reshape(-1, 2)
    data = np.pad(side, ((0, 0), (0, 1))).astype(np.float32)
    start, end = np.array([[5.5, 5.5, 0]], np.float32), np.array([[15.5, 5.5, 0]], np.float32)
    near = curves.off_manifold(curves.linear(start, end, 10), data, 4)[0]
    # Four nearest at √½ from the middles of the squares, at 1 from the corners themselves.
    assert near == pytest.approx(0.5**0.5)
    up = np.array([0, 0, 30], np.float32)
    far = curves.off_manifold(curves.linear(start + up, end + up, 10), data, 4)[0]
    assert far == pytest.approx((900.5) ** 0.5)


def test_a_decoder_that_blends_pixels_has_cross_dissolve_index_zero() -> None:
    path = curves.linear(codes(3, 4), codes(3, 4), 10)
    pictures = flat(torch.from_numpy(path.reshape(-1, 4))).numpy().reshape(3, 11, 9)
    index = curves.cross_dissolve(pictures, RANDOM.normal(size=(20, 9)))
    assert index.max() < 1e-5
    uneven = pictures[:, [0, 1, 1, 2, 7, 9, 10]]  # blends, in another rhythm
    assert curves.cross_dissolve(uneven, RANDOM.normal(size=(20, 9))).max() < 1e-5


def test_a_path_of_data_has_cross_dissolve_index_one() -> None:
    moving = np.eye(8)[None, 1:7]  # a dot that moves, instead of one that fades
    assert curves.cross_dissolve(moving, np.eye(8))[0] == pytest.approx(1)
    assert np.isnan(curves.cross_dissolve(np.zeros((1, 4, 8)), np.zeros((3, 8)))[0])


def test_pictures_are_as_far_from_data_as_the_nearest() -> None:
    line = np.linspace(0, 1, 5)[None, :, None] * np.ones(4)  # inner pictures: ¼, ½, ¾, all over
    data = np.stack([np.zeros(4), np.full(4, 0.5), np.full(4, 2.0)])
    assert curves.off_pictures(line, data)[0] == pytest.approx((0.5 + 0 + 0.5) / 3)


@pytest.mark.parametrize("points", [10, 4])
def test_the_curvature_of_a_parabola_is_known(points: int) -> None:
    u = np.linspace(-1, 1, points)
    curve = 5 * (2 - 1.5 * u**2)
    found = curves.curvatures(curve[None])[0]
    assert found == pytest.approx(-15 / curve.mean())
    assert np.isnan(curves.curvatures(np.zeros((1, points)))[0])


def test_horseshoes_and_waves_are_told_apart_and_noise_from_both() -> None:
    u = np.linspace(-1, 1, 10)
    noise = RANDOM.normal(size=(40, 10)) * 0.2
    assert curves.curvature(2 - u**2 + noise, 0).shape == "horseshoe"
    wave = curves.curvature(1 + 3 * u**2 - 3 * u**4 + noise, 0)  # two hills and a dale
    assert wave.shape == "wave"
    assert wave.low < wave.value < wave.high
    flat = [curves.curvature(1 + RANDOM.normal(size=(40, 10)), 0, 200).shape for _ in range(40)]
    assert flat.count("undecided") >= 34
