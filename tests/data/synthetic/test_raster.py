from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Float


def _plane(side: int = 200) -> tuple[Float, Float]:
    x, y = raster.axes(side, side)
    return (x - side / 2) / (side / 4), (y - side / 2) / (side / 4)  # −2 … 2


def test_sine_and_cosine() -> None:
    turns = np.linspace(-3, 3, 2001).astype(np.float32)
    np.testing.assert_allclose(raster.sine(turns), np.sin(2 * np.pi * turns), atol=1.2e-3)
    np.testing.assert_allclose(raster.cosine(turns), np.cos(2 * np.pi * turns), atol=1.2e-3)


def test_cover_is_linear_across_an_edge() -> None:
    distance = np.array([-2, -0.5, -0.25, 0, 0.25, 0.5, 2], np.float32)
    np.testing.assert_allclose(raster.cover(distance, 1.0), [0, 0, 0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_allclose(raster.cover(distance, 2.0), [0, 0.25, 0.375, 0.5, 0.625, 0.75, 1])


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (lambda x, y: raster.disc(x, y, 1.0), np.pi),
        (lambda x, y: raster.ellipse(x, y, 1.5, 0.5), np.pi * 0.75),
        (lambda x, y: raster.box(x, y, 1.2, 0.4), 4 * 0.48),
        (lambda x, y: raster.polygon(x, y, [(-1, -1), (1, -1), (0, 1)]), 2.0),
        # An L: a square of side 2 without its upper right quarter.
        (
            lambda x, y: raster.polygon(x, y, [(-1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (-1, 1)]),
            3.0,
        ),
    ],
)
def test_coverage_sums_to_the_area(shape: object, area: float) -> None:
    x, y = _plane()
    share = raster.cover(shape(x, y), 0.02)  # type: ignore[operator]
    assert share.sum() * 0.02**2 == pytest.approx(area, rel=2e-3)


def test_polygon_distance_is_euclidean_in_and_out() -> None:
    square = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    x = np.array([[[0.0, 0.5, 1.5, 2.0]]], np.float32)
    y = np.array([[[0.0, 0.0, 0.0, 2.0]]], np.float32)
    expected = [[[1.0, 0.5, -0.5, -np.sqrt(2)]]]
    np.testing.assert_allclose(raster.polygon(x, y, square), expected, rtol=1e-6)
    np.testing.assert_allclose(raster.box(x, y, 1.0, 1.0), expected, rtol=1e-6)


def test_polygon_does_not_depend_on_the_direction_of_its_points() -> None:
    x, y = _plane(60)
    points = [(-1.0, -1.0), (1.0, -0.5), (0.2, 0.1), (0.9, 1.3)]
    np.testing.assert_allclose(
        raster.polygon(x, y, points), raster.polygon(x, y, points[::-1]), atol=1e-6
    )


def test_scatter_is_even_and_without_order() -> None:
    i, j = np.meshgrid(np.arange(300.0), np.arange(300.0), indexing="ij")
    values = raster.scatter(i.astype(np.float32), j.astype(np.float32), 3)
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    # χ² with 19 degrees of freedom exceeds 44 once in a thousand; nothing here is drawn anew.
    assert ((counts - 4500.0) ** 2 / 4500).sum() < 44
    for a, b in ((values[1:], values[:-1]), (values[:, 1:], values[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.015
    other = raster.scatter(i.astype(np.float32), j.astype(np.float32), 4)
    assert abs(np.corrcoef(values.ravel(), other.ravel())[0, 1]) < 0.015


def test_hsv_primaries() -> None:
    hue = np.array([0, 1 / 3, 2 / 3], np.float32)
    np.testing.assert_allclose(raster.hsv(hue, 1.0, 1.0), np.eye(3) * 255, atol=1e-3)


def test_profile_passes_through_its_knots() -> None:
    y = np.array([[[-1.0], [0.0], [1.0], [3.0], [9.0]]], np.float32)
    width = raster.profile(y, [(0.0, 2.0), (1.0, 5.0), (3.0, 1.0)])
    np.testing.assert_allclose(width.ravel(), [2, 2, 5, 1, 1], atol=1e-6)


def test_finish_rounds_and_clips() -> None:
    picture = np.array([-5.0, 0.4, 0.5, 254.6, 300.0], np.float32).reshape(1, 1, 1, 5)
    whole = raster.finish(np.repeat(picture, 3, axis=1))
    assert whole.shape == (1, 1, 5, 3)
    assert whole[0, 0, :, 0].tolist() == [0, 0, 1, 255, 255]
