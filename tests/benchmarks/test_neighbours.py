"""The benchmark of neighbours: all competitors do the same work."""

from __future__ import annotations

import numpy as np

from benchmarks import neighbours
from latent_atlas.analysis.neighbours import knn
from tests.benchmarks.sizes import TINY


def test_scikit_learn_finds_the_same() -> None:
    points, labels = neighbours.clustered(900)
    everyone = np.arange(900)
    ours = knn.within_clusters(points, labels, np.ones(900, np.bool_), everyone, 10)
    assert (ours.ids == neighbours.scikit(points, labels)).mean() > 0.999


def test_results() -> None:
    results = neighbours.measure_neighbour_search(TINY)
    assert len(results) == 3 * len(TINY.quadrants)
    for result in results:
        assert len(result.rounds) == TINY.searches
        assert min(result.rounds) > 0
    assert all(result.unit == "×" and result.target for result in results[:2])
