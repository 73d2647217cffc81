"""The stage that finds, scores and plots the neighbours of a data set."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.util.console import UserError
from stages import neighbours as stage
from tests.conftest import ROOT
from tests.stages.tables import read_metrics


@pytest.fixture
def folder(
    tmp_path: Path, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with a store of blobs and a params.yaml for them."""
    make_store()
    values = reading.without_runs(reading.read(ROOT / "params.yaml"))
    values["data"] = {"blobs": {"source": "test", "height": 32, "width": 32, "valid_share": 0.25}}
    values["neighbours"] |= {"backbone": "vgg19_random", "size": 32}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["neighbours", "blobs"])
    return tmp_path


def change_settings(folder: Path, **changes: object) -> None:
    values = reading.read(folder / "params.yaml")
    values["neighbours"] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def test_the_stage_writes_table_metrics_and_sheet(folder: Path) -> None:
    stage.main()
    neighbours = open_neighbours(folder / "data" / "blobs-neighbours")
    store = open_store(folder / "data" / "blobs")
    neighbours.check(store)
    assert neighbours.ids.shape == (60, 4, 10)
    assert set(np.unique(neighbours.ids)) <= set(store.rows("train"))
    assert len(store.rows("valid")) > 0
    assert neighbours.card["features"]["backbone"] == "vgg19_random"
    assert len(neighbours.card["features"]["fingerprint"]) == 64
    assert neighbours.card["options"]["search"] == "clusters"
    metrics = json.loads((folder / "metrics" / "blobs-neighbours.json").read_text())
    assert set(metrics["blobs_neighbours"]) == {"recall"}
    assert read_metrics(folder, "blobs-neighbours") == metrics
    assert (folder / "plots" / "blobs-neighbours" / "sheet.png").stat().st_size > 1000
    assert not list((folder / ".cache" / "scratch-features").iterdir())
    stage.main()
    assert open_neighbours(folder / "data" / "blobs-neighbours").digest == neighbours.digest


def test_images_that_cannot_be_cut_into_nine_tiles_are_refused(folder: Path) -> None:
    change_settings(folder, tiles=3)
    with pytest.raises(UserError, match=r"3×3 tiles need sides that 3 divides; .* 32×32"):
        stage.main()


def test_nine_tiles_have_nine_lists(folder: Path, make_store: Callable[..., Store]) -> None:
    store = make_store(height=48, width=48)
    values = reading.read(folder / "params.yaml")
    values["data"]["blobs"] |= {"height": 48, "width": 48}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    change_settings(folder, tiles=3, backbone="efficientnet_lite0")
    stage.main()
    neighbours = open_neighbours(folder / "data" / "blobs-neighbours")
    assert neighbours.ids.shape == (60, 9, 10)
    assert neighbours.tiles == 3
    ids, quantiles = neighbours.draw(np.arange(5), np.random.default_rng(0))
    assert ids.shape == quantiles.shape == (5, 9)
    neighbours.check(store, 3)
    with pytest.raises(UserError, match="found neighbours of 3×3 tiles, expected 2×2"):
        neighbours.check(store, 2)


def test_a_missing_deepcluster_checkpoint_is_named(folder: Path) -> None:
    change_settings(folder, backbone="deepcluster")
    with pytest.raises(UserError, match=r"^neighbours\.backbone: models/blobs-deepcluster"):
        stage.main()
    assert not (folder / "data" / "blobs-neighbours").exists()


def test_too_many_clusters_are_named_with_their_key(folder: Path) -> None:
    change_settings(folder, clusters={"sample": 1000, "full": 1000})
    with pytest.raises(UserError, match=r"^neighbours\.clusters: found 1000, expected at most"):
        stage.main()
