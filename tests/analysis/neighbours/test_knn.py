"""Neighbours against scikit-learn's, and what may not be one."""

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
    """Scikit-learn's neighbours among `rows`, without the point itself."""
    among = points[rows].astype(np.float64)
    distances, near = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(among).kneighbors()
    return rows[near], distances


@settings(deadline=None, max_examples=30)
@given(st.integers(12, 300), st.integers(1, 20), st.integers(0, 99), st.sampled_from([0.0, 1000.0]))
def test_exact_search_is_scikit_learns(count: int, dim: int, seed: int, shift: float) -> None:
    points = cloud(count, dim, seed, shift)
    everyone = np.arange(count)
    found = knn.exact(points, everyone, everyone, everyone, 10)
    _, distances = reference(points, everyone, 10)
    assert np.allclose(found.distances, distances, rtol=1e-3, atol=1e-6 * max(1.0, shift))
    assert not (found.ids == everyone[:, None]).any()
    true = np.linalg.norm(points[:, None] - points[found.ids], axis=2)
    assert np.allclose(found.distances, true, rtol=1e-4, atol=1e-6)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points, everyone = cloud(500, 16, 0), np.arange(500)
    whole = knn.exact(points, everyone, everyone, everyone, 10)
    monkeypatch.setattr(knn, "_BLOCK", 3000)
    blocks = knn.exact(points, everyone, everyone, everyone, 10)
    assert np.array_equal(whole.ids, blocks.ids)
    assert np.allclose(whole.distances, blocks.distances, rtol=1e-5)


def test_clusters_are_searched_one_by_one() -> None:
    points, everyone = cloud(600, 8, 1), np.arange(600)
    labels = np.random.default_rng(1).integers(7, size=600)
    found = knn.within_clusters(points, labels, np.ones(600, np.bool_), everyone, 10)
    for cluster in range(7):
        members = np.flatnonzero(labels == cluster)
        ids, distances = reference(points, members, 10)
        assert np.array_equal(found.ids[members], ids)
        assert np.allclose(found.distances[members], distances, rtol=1e-4)


def test_groups_and_non_candidates_are_passed_over() -> None:
    points, everyone = cloud(200, 4, 2), np.arange(200)
    groups, candidates = everyone // 4, everyone % 3 != 0
    one = np.zeros(200, np.int64)
    for found in (
        knn.exact(points, everyone, np.flatnonzero(candidates), groups, 10),
        knn.within_clusters(points, one, candidates, groups, 10),
        knn.by_inverted_file(points, candidates, groups, 10, lists=5, probes=5, seed=0),
    ):
        assert candidates[found.ids].all()
        assert not (groups[found.ids] == groups[:, None]).any()
        distances = np.linalg.norm(points[:, None] - points, axis=2)
        distances[:, ~candidates] = np.inf
        distances[groups[:, None] == groups] = np.inf
        assert np.allclose(found.distances, np.sort(distances, axis=1)[:, :10], atol=1e-4)


def test_short_lists_are_filled_from_all() -> None:
    points, everyone = cloud(100, 3, 3), np.arange(100)
    labels = (everyone >= 10).astype(np.int64)  # ten members: nine neighbours
    found = knn.within_clusters(points, labels, np.ones(100, np.bool_), everyone, 10)
    assert found.short.tolist() == list(range(10))
    assert np.isinf(found.distances[:10, 9]).all()
    kept = found.ids[10:].copy()
    assert knn.fill(found, points, everyone, everyone) == 10
    assert not len(found.short)
    assert np.array_equal(found.ids[:10], reference(points, everyone, 10)[0][:10])
    assert np.array_equal(found.ids[10:], kept)
