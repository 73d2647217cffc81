"""Fixtures of the tests of neighbours: features that separate classes, and search settings."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.analysis.neighbours.build import CandidateSet
from latent_atlas.config.schema import QuadrantNeighbours
from latent_atlas.data.tiles import TileObjects

CLASSES = 3

Separated = tuple[np.ndarray, TileObjects, CandidateSet]


@pytest.fixture
def settings() -> QuadrantNeighbours:
    """A search within three clusters."""
    return QuadrantNeighbours(
        backbone="efficientnet_lite0",
        size=None,
        search="clusters",
        clusters=3,
        iterations=10,
        probes=3,
        distinct=True,
        batch_size=50,
    )


@pytest.fixture
def separated() -> Separated:
    """Features of 120 images that depend on the class of each quadrant only, except for noise."""
    random = np.random.default_rng(0)
    classes = random.integers(CLASSES, size=(120, 4))
    features = 10 * np.eye(CLASSES)[classes] + 0.1 * random.normal(size=(120, 4, CLASSES))
    objects = TileObjects(list("abc"), np.eye(CLASSES, dtype=np.float32)[classes])
    candidates = CandidateSet(np.arange(120) < 100, np.arange(120))
    return features.astype(np.float32), objects, candidates
