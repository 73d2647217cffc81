"""The benchmark of neighbours: all contenders do the same work."""

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


def test_figures() -> None:
    figures = neighbours.measure(TINY)
    assert len(figures) == 3 * len(TINY.quadrants)
    for figure in figures:
        assert len(figure.rounds) == TINY.searches
        assert min(figure.rounds) > 0
    assert all(figure.unit == "×" and figure.target for figure in figures[:2])
