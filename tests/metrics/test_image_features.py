"""Features of images in memory, and their distances."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.image_features import (
    distribution_names,
    distribution_scores,
    feature_distance,
    image_features,
)
from tests.translations import tiny_backbone

RANDOM = np.random.default_rng(0)


def test_features_of_more_images_than_a_batch_keep_their_order() -> None:
    images = RANDOM.integers(0, 256, (230, 16, 16, 1), dtype=np.uint8)
    features = image_features(tiny_backbone(), images, 16)
    assert features.shape == (230, 48)
    np.testing.assert_array_equal(features[210:], image_features(tiny_backbone(), images[210:], 16))


def test_distances_of_known_angles() -> None:
    a = np.array([[1, 0], [1, 0], [2, 0], [1, 0]], np.float32)
    b = np.array([[3, 0], [0, 2], [-1, 0], [1, 1]], np.float32)
    expected = [0, 1, 2, 1 - 0.5**0.5]
    np.testing.assert_allclose(feature_distance(a, b), expected, atol=1e-7)


def test_only_inception_gives_fid() -> None:
    assert distribution_names("inception@weights.pth") == ("fid", "kid")
    assert distribution_names("alexnet@x.pth") == ("frechet_alexnet", "kid_alexnet")


def test_equal_sets_have_no_distance() -> None:
    real = RANDOM.normal(size=(40, 6)).astype(np.float32)
    same = distribution_scores(real, real, "tiny", 0)
    assert same["frechet_tiny"] == pytest.approx(0, abs=1e-6)
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    far = distribution_scores(real, real + 50, "tiny", 0)
    assert far["frechet_tiny"] == pytest.approx(6 * 50**2)
    assert far["precision"] == far["coverage"] == 0
