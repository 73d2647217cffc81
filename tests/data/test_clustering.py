"""Whitening, k-means and purity on points with a known result."""

from __future__ import annotations

import numpy as np

from latent_atlas.data.clustering import assign, kmeans, purity, whiten


def test_whitened_directions_have_equal_variance() -> None:
    random = np.random.default_rng(0)
    stretched = random.normal(size=(20_000, 4)) * [30, 10, 1, 0.3]
    points = whiten((stretched @ random.normal(size=(4, 6)) + 5).astype(np.float32), 4)
    assert points.shape == (20_000, 4)
    assert np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    # On a sphere in four dimensions every direction has a quarter of the length.
    assert np.allclose(np.cov(points.T), np.eye(4) / 4, atol=0.01)


def test_directions_without_variance_are_left_out() -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(100, 3)) @ random.normal(size=(3, 50))
    assert whiten(flat.astype(np.float32), 256).shape == (100, 3)
    assert whiten(flat.astype(np.float32), 2).shape == (100, 2)
    assert whiten(np.full((100, 50), 0.3, np.float32), 2).shape == (100, 0)


def test_kmeans_finds_separated_clusters() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(5, size=600)
    points = (random.normal(size=(600, 8)) + 40 * np.eye(8)[truth]).astype(np.float32)
    best = max(purity(kmeans(points, 5, 20, seed)[0], truth) for seed in range(5))
    assert best == 1
    labels, centroids = kmeans(points, 5, 20, 3)
    assert centroids.shape == (5, 8)
    assert np.array_equal(assign(points, centroids), labels)
    assert np.array_equal(kmeans(points, 5, 20, 3)[0], labels)


def test_kmeans_refills_empty_clusters() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(300, 2)).astype(np.float32)
    points[:280] = points[0] + 1e-4 * points[:280]  # nearly all in one place
    assert len(np.unique(kmeans(points, 30, 20, 0)[0])) >= 28


def test_purity_counts_the_most_frequent_class() -> None:
    labels, truth = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    assert purity(labels, truth) == 5 / 6
    assert purity(np.zeros(6, np.int64), truth) == 0.5
    assert purity(np.arange(6), truth) == 1
