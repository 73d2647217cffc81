"""Agreement of neighbours and of chance, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.analysis.neighbours.agreement import (
    agreement,
    chance_agreement,
    score_neighbours,
)
from latent_atlas.analysis.neighbours.build import CandidateSet
from latent_atlas.data.tiles import TileObjects
from tests.analysis.neighbours.conftest import Separated


def test_agreement_and_chance_by_hand() -> None:
    areas = np.zeros((4, 4, 2), np.float32)
    areas[0, 0, 0] = areas[1, 0, 0] = areas[2, 0, 1] = 1  # the last image shows nothing
    objects = TileObjects(["a", "b"], areas)
    rows = np.array([0])
    ids = np.zeros((1, 4, 3), np.int64)
    ids[0, 0] = [1, 2, 3]
    candidates = CandidateSet(np.ones(4, np.bool_), np.arange(4))
    assert agreement(rows, ids, objects) == pytest.approx(1 / 3)
    assert chance_agreement(rows, candidates, objects) == pytest.approx(1 / 3)


def test_recall_is_the_share_of_exact_neighbours(separated: Separated) -> None:
    features, _, candidates = separated
    ids = np.zeros((120, 4, 10), np.int32)
    ids[:] = np.arange(100, 110)  # no candidates
    assert score_neighbours(features, ids, candidates, None) == {"recall": 0}
