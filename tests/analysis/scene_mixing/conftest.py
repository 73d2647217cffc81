"""Fixtures of the tests of scene mixing: a store of drawn scenes, and a table of neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latent_atlas.config.schema import DataSet
from latent_atlas.data.neighbour_table import NeighbourTable, write_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic.store import draw_data_set


@pytest.fixture
def scene_store(tmp_path: Path) -> Store:
    """60 drawn scenes of 32×32 pixels."""
    data = DataSet(source="drawn:scenes", height=32, width=32, valid_share=0.3, count=60)
    draw_data_set("scenes", data, 60, 0, tmp_path / "data" / "scenes")
    return open_store(tmp_path / "data" / "scenes")


@pytest.fixture
def scene_neighbours(scene_store: Store, tmp_path: Path) -> NeighbourTable:
    """Random neighbours of the scenes, the same for all quadrants of a scene."""
    random = np.random.default_rng(0)
    train = scene_store.rows("train")
    ids = np.array([random.choice(train[train != row], 10, replace=False) for row in range(60)])
    return write_neighbours(
        tmp_path / "neighbours",
        np.repeat(ids[:, None].astype(np.int32), 4, axis=1),
        np.sort(random.random((60, 4, 10), np.float32), axis=2),
        {"store": {"name": "scenes", "digest": scene_store.digest}},
    )
