"""Nearest neighbours compared with scikit-learn's, groups, and incomplete lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from latent_atlas.analysis.neighbours import knn
from latent_atlas.data.clustering import Labels, Points


def cloud(count: int, dimensions: int, seed: int, shift: float = 0.0) -> Points:
    points = np.random.default_rng(seed).normal(size=(count, dimensions)) + shift
    return points.astype(np.float32)


def reference(points: Points, rows: Labels, count: int) -> tuple[np.ndarray, ...]:
    """Scikit-learn's neighbours among `rows`, without the point itself: ids and distances."""
    among = points[rows].astype(np.float64)
    distances, near = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(among).kneighbors()
    return rows[near], distances


@settings(deadline=None, max_examples=30)
@given(st.integers(12, 300), st.integers(1, 20), st.integers(0, 99), st.sampled_from([0.0, 1000.0]))
def test_exact_search_equals_scikit_learns(count: int, dim: int, seed: int, shift: float) -> None:
    points = cloud(count, dim, seed, shift)
    every_row = np.arange(count)
    nearest = knn.exact(points, every_row, every_row, every_row, 10)
    _, distances = reference(points, every_row, 10)
    assert np.allclose(nearest.distances, distances, rtol=1e-3, atol=1e-6 * max(1.0, shift))
    assert not (nearest.ids == every_row[:, None]).any()
    true = np.linalg.norm(points[:, None] - points[nearest.ids], axis=2)
    assert np.allclose(nearest.distances, true, rtol=1e-4, atol=1e-6)


def test_the_size_of_blocks_does_not_change_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    points, every_row = cloud(500, 16, 0), np.arange(500)
    whole = knn.exact(points, every_row, every_row, every_row, 10)
    monkeypatch.setattr(knn, "_BLOCK", 3000)
    blocks = knn.exact(points, every_row, every_row, every_row, 10)
    assert np.array_equal(whole.ids, blocks.ids)
    assert np.allclose(whole.distances, blocks.distances, rtol=1e-5)


def test_neighbours_within_clusters_equal_scikit_learns() -> None:
    points, every_row = cloud(600, 8, 1), np.arange(600)
    labels = np.random.default_rng(1).integers(7, size=600)
    nearest = knn.within_clusters(points, labels, np.ones(600, np.bool_), every_row, 10)
    for cluster in range(7):
        members = np.flatnonzero(labels == cluster)
        ids, distances = reference(points, members, 10)
        assert np.array_equal(nearest.ids[members], ids)
        assert np.allclose(nearest.distances[members], distances, rtol=1e-4)


def test_neighbours_are_candidates_of_another_group() -> None:
    points, every_row = cloud(200, 4, 2), np.arange(200)
    groups, candidates = every_row // 4, every_row % 3 != 0
    one_cluster = np.zeros(200, np.int64)
    for nearest in (
        knn.exact(points, every_row, np.flatnonzero(candidates), groups, 10),
        knn.within_clusters(points, one_cluster, candidates, groups, 10),
        knn.by_inverted_file(points, candidates, groups, 10, lists=5, probes=5, seed=0),
    ):
        assert candidates[nearest.ids].all()
        assert not (groups[nearest.ids] == groups[:, None]).any()
        distances = np.linalg.norm(points[:, None] - points, axis=2)
        distances[:, ~candidates] = np.inf
        distances[groups[:, None] == groups] = np.inf
        assert np.allclose(nearest.distances, np.sort(distances, axis=1)[:, :10], atol=1e-4)


def test_incomplete_lists_are_filled_from_all_candidates() -> None:
    points, every_row = cloud(100, 3, 3), np.arange(100)
    labels = (every_row >= 10).astype(np.int64)  # ten members: nine neighbours
    nearest = knn.within_clusters(points, labels, np.ones(100, np.bool_), every_row, 10)
    assert nearest.incomplete.tolist() == list(range(10))
    assert np.isinf(nearest.distances[:10, 9]).all()
    kept = nearest.ids[10:].copy()
    assert knn.fill_incomplete(nearest, points, every_row, every_row) == 10
    assert not len(nearest.incomplete)
    assert np.array_equal(nearest.ids[:10], reference(points, every_row, 10)[0][:10])
    assert np.array_equal(nearest.ids[10:], kept)
