"""The stage: neighbours as the thesis finds them, scored against a truth that is known."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from latent_atlas.analysis.neighbours.agreement import agreement, chance, score
from latent_atlas.analysis.neighbours.build import Crowd, Options, crowd_of, find
from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.tiles import Objects
from latent_atlas.util.console import UserError
from stages import neighbours as stage
from tests.conftest import ROOT

OPTIONS = Options("clusters", clusters=3, iterations=10, probes=3, distinct=True, seed=0)
CLASSES = 3


@pytest.fixture
def apart() -> tuple[np.ndarray, Objects, Crowd]:
    """Features that tell the class of each quadrant, and nothing but it."""
    random = np.random.default_rng(0)
    classes = random.integers(CLASSES, size=(120, 4))
    features = 10 * np.eye(CLASSES)[classes] + 0.1 * random.normal(size=(120, 4, CLASSES))
    objects = Objects(list("abc"), np.eye(CLASSES, dtype=np.float32)[classes])
    return features.astype(np.float32), objects, Crowd(np.arange(120) < 100, np.arange(120))


@pytest.mark.parametrize("search", ["clusters", "exact", "ivf"])
def test_every_search_finds_what_is_alike(
    search: str, apart: tuple[np.ndarray, Objects, Crowd]
) -> None:
    features, objects, crowd = apart
    options = dataclasses.replace(OPTIONS, search=search)  # type: ignore[arg-type]
    ids, distances, found = find(features, crowd, options, "test")
    assert ids.max() < 100, "neighbours come from the training split"
    assert (np.diff(distances, axis=2) >= 0).all()
    values = score(features, ids, crowd, objects)
    assert values["agreement"] == values["agreement_exact"] == 1
    assert values["recall"] > 0.9
    assert 0.25 < values["agreement_chance"] < 0.42
    assert [sum(sizes) for sizes in found["cluster_sizes"]] == (
        [120] * 4 if search == "clusters" else []
    )


def test_small_clusters_are_filled_and_told_of(apart: tuple[np.ndarray, Objects, Crowd]) -> None:
    features, _, crowd = apart
    few = dataclasses.replace(OPTIONS, clusters=30)
    ids, distances, found = find(features, crowd, few, "test")
    assert all(count > 0 for count in found["small_clusters"])
    assert all(count > 0 for count in found["filled"])
    assert np.isfinite(distances).all()
    assert (ids >= 0).all()


def test_agreement_and_chance_by_hand() -> None:
    areas = np.zeros((4, 4, 2), np.float32)
    areas[0, 0, 0] = areas[1, 0, 0] = areas[2, 0, 1] = 1  # the last image shows nothing
    objects = Objects(["a", "b"], areas)
    rows = np.array([0])
    ids = np.zeros((1, 4, 3), np.int64)
    ids[0, 0] = [1, 2, 3]
    assert agreement(rows, ids, objects) == pytest.approx(1 / 3)
    assert chance(rows, Crowd(np.ones(4, np.bool_), np.arange(4)), objects) == pytest.approx(1 / 3)


def test_pictures_of_one_photograph_are_one_group(make_store: Callable[..., Store]) -> None:
    store = make_store(count=40)
    index = store.index.assign(sha256=[f"{i // 2:064d}" for i in range(40)], split="train")
    doubled = Store(store.path, store.images, pd.DataFrame(index), store.card)
    assert crowd_of(doubled, OPTIONS).groups.tolist() == [i // 2 for i in range(40)]
    loose = dataclasses.replace(OPTIONS, distinct=False)
    assert crowd_of(doubled, loose).groups.tolist() == list(range(40))
    index = index.assign(sha256=[f"{i // 4:064d}" for i in range(40)])
    fewer = Store(store.path, store.images, pd.DataFrame(index), store.card)
    with pytest.raises(UserError, match="10 different images in the training split, expected more"):
        crowd_of(fewer, OPTIONS)
    with pytest.raises(UserError, match=r"neighbours\.clusters: found 50"):
        crowd_of(doubled, dataclasses.replace(OPTIONS, clusters=50))


@pytest.fixture
def run_command(
    tmp_path: Path, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder where the stage can be started on blobs."""
    make_store()
    values = reading.without_runs(reading.read(ROOT / "params.yaml"))
    values["data"] = {"blobs": {"source": "test", "height": 32, "width": 32, "valid_share": 0.25}}
    values["neighbours"] |= {"backbone": "vgg19_random", "size": 32}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["neighbours", "blobs"])
    return tmp_path


def test_door(door: Path) -> None:
    stage.main()
    neighbours = open_neighbours(door / "data" / "blobs-neighbours")
    store = open_store(door / "data" / "blobs")
    neighbours.check(store)
    assert neighbours.ids.shape == (60, 4, 10)
    assert set(np.unique(neighbours.ids)) <= set(store.rows("train"))
    assert len(store.rows("valid")) > 0
    assert neighbours.card["features"]["backbone"] == "vgg19_random"
    assert len(neighbours.card["features"]["fingerprint"]) == 64
    values = json.loads((door / "metrics" / "blobs-neighbours.json").read_text())
    assert set(values["blobs_neighbours"]) == {"recall"}
    assert (door / "plots" / "blobs-neighbours" / "sheet.png").stat().st_size > 1000
    assert not list((door / ".cache" / "scratch-features").iterdir())
    stage.main()
    assert open_neighbours(door / "data" / "blobs-neighbours").digest == neighbours.digest


def test_nine_tiles(door: Path) -> None:
    values = reading.read(door / "params.yaml")
    values["neighbours"]["tiles"] = 3
    (door / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match="3×3 tiles need sides that 3 divides, found 32×32"):
        stage.main()


def test_nine_tiles_have_nine_lists(
    door: Path, make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store(height=48, width=48)
    values = reading.read(door / "params.yaml")
    values["data"]["blobs"] |= {"height": 48, "width": 48}
    values["neighbours"] |= {"tiles": 3, "backbone": "efficientnet_lite0"}
    (door / "params.yaml").write_text(yaml.safe_dump(values))
    stage.main()
    neighbours = open_neighbours(door / "data" / "blobs-neighbours")
    assert neighbours.ids.shape == (60, 9, 10)
    assert neighbours.tiles == 3
    ids, quantiles = neighbours.draw(np.arange(5), np.random.default_rng(0))
    assert ids.shape == quantiles.shape == (5, 9)
    neighbours.check(store, 3)
    with pytest.raises(UserError, match="neighbours of 3×3 tiles, but the model mixes 2×2"):
        neighbours.check(store, 2)


def test_door_says_what_is_missing(door: Path) -> None:
    values = reading.read(door / "params.yaml")
    values["neighbours"]["backbone"] = "deepcluster"
    (door / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"neighbours\.backbone: models/blobs-deepcluster"):
        stage.main()
    assert not (door / "data" / "blobs-neighbours").exists()
