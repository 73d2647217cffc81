"""Distances to data and the cross-dissolve index, on curves with known values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latent_atlas.analysis.interpolation.curves import linear
from latent_atlas.analysis.interpolation.measures import (
    cross_dissolve_index,
    distance_to_codes,
    distance_to_images,
)
from tests.analysis.interpolation.decoders import flat

RANDOM = np.random.default_rng(0)


def test_distance_to_codes_is_one_among_data_and_grows_with_the_distance() -> None:
    square = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), -1).reshape(-1, 2)
    data = np.pad(square, ((0, 0), (0, 1))).astype(np.float32)
    start, end = np.array([[5.5, 5.5, 0]], np.float32), np.array([[15.5, 5.5, 0]], np.float32)
    near = distance_to_codes(linear(start, end, 10), data, 4)[0]
    # The four nearest codes are at √½ from the centres of the cells, and at 1 from a code.
    assert near == pytest.approx(0.5**0.5)
    up = np.array([0, 0, 30], np.float32)
    far = distance_to_codes(linear(start + up, end + up, 10), data, 4)[0]
    assert far == pytest.approx((900.5) ** 0.5)


def test_distance_to_images_is_that_of_the_nearest_image() -> None:
    line = np.linspace(0, 1, 5)[None, :, None] * np.ones(4)  # inner images: ¼, ½ and ¾ everywhere
    data = np.stack([np.zeros(4), np.full(4, 0.5), np.full(4, 2.0)])
    assert distance_to_images(line, data)[0] == pytest.approx((0.5 + 0 + 0.5) / 3)


def test_the_cross_dissolve_index_of_pixel_blends_is_zero() -> None:
    starts, ends = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    curves = linear(starts, ends, 10)
    images = flat(torch.from_numpy(curves.reshape(-1, 4))).numpy().reshape(3, 11, 9)
    index = cross_dissolve_index(images, RANDOM.normal(size=(20, 9)))
    assert index.max() < 1e-5
    uneven = images[:, [0, 1, 1, 2, 7, 9, 10]]  # blends in unequal steps
    assert cross_dissolve_index(uneven, RANDOM.normal(size=(20, 9))).max() < 1e-5


def test_the_cross_dissolve_index_of_images_of_the_data_is_one() -> None:
    moving = np.eye(8)[None, 1:7]  # a dot that moves instead of fading
    assert cross_dissolve_index(moving, np.eye(8))[0] == pytest.approx(1)
    assert np.isnan(cross_dissolve_index(np.zeros((1, 4, 8)), np.zeros((3, 8)))[0])
