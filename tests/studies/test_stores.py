"""Image stores and neighbours of a study, kept until something that they depend on changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latent_atlas.analysis.neighbours import build
from latent_atlas.analysis.neighbours.build import NeighbourSearch
from latent_atlas.config.reading import merge
from latent_atlas.config.schema import QuadrantNeighbours
from latent_atlas.data.store import Store
from latent_atlas.models import backbones
from latent_atlas.studies import plan, stores
from latent_atlas.util.console import UserError
from tests.studies.charts import test_mixing
from tests.studies.conftest import TINY


def study(changes: dict[str, Any]) -> plan.Study:
    return plan.Study.model_validate(merge(TINY, changes), context={"scale": "sample"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    data = study(test_mixing.CHANGES).data_set("circles_mono", "small", None)
    return stores.make_store("circles_mono", data, 0, tmp_path / "cache", tmp_path / "ingested")


def test_a_drawn_store_is_kept_for_its_parameters(store: Store, tmp_path: Path) -> None:
    data = study(test_mixing.CHANGES).data_set("circles_mono", "small", None)
    before = (store.path / "images.npy").stat().st_mtime_ns
    folders = tmp_path / "cache", tmp_path / "ingested"
    again = stores.make_store("circles_mono", data, 0, *folders)
    assert again.path == store.path
    assert (again.path / "images.npy").stat().st_mtime_ns == before
    smaller = data.model_copy(update={"count": 20})
    other = stores.make_store("circles_mono", smaller, 0, *folders)
    assert len(other.images) == 20
    assert stores.make_store("circles_mono", data, 1, *folders).digest != store.digest
    assert not (tmp_path / "ingested").exists()


@pytest.fixture
def searches(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[QuadrantNeighbours]:
    """The settings of each search; every image has the next ten as neighbours."""
    settings_of: list[QuadrantNeighbours] = []
    count = len(store.images)
    ids = (np.arange(count)[:, None, None] + np.arange(1, 11) + np.zeros((1, 4, 1), int)) % count
    distances = np.ones(ids.shape, np.float32)

    @contextmanager
    def search(store: Store, settings: QuadrantNeighbours, *_: object) -> Iterator[NeighbourSearch]:
        settings_of.append(settings)
        card = {"store": {"digest": store.digest}}
        nothing: Any = None
        yield NeighbourSearch(nothing, ids.astype(np.int32), distances, nothing, card)

    monkeypatch.setattr(build, "search_neighbours", search)
    monkeypatch.setattr(backbones, "load", lambda *_: None)
    return settings_of


def test_neighbours_are_kept_until_settings_seed_or_weights_change(
    store: Store, searches: list[QuadrantNeighbours], tmp_path: Path
) -> None:
    weights = tmp_path / "deepcluster" / "weights.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    settings = study(test_mixing.CHANGES).neighbours
    assert settings is not None
    learnt = settings.model_copy(update={"backbone": f"deepcluster@{weights.parent}"})

    def path_of(settings: QuadrantNeighbours, seed: int = 0) -> Path:
        return stores.make_neighbours(store, settings, seed, tmp_path / "cache").path

    first = path_of(learnt)
    assert path_of(learnt) == first
    assert len(searches) == 1
    others = {path_of(settings), path_of(learnt, seed=1)}
    weights.write_bytes(b"two")
    others.add(path_of(learnt))
    assert len(others - {first}) == 3
    assert len(searches) == 4


def test_a_backbone_that_cannot_be_loaded_is_one_line(store: Store, tmp_path: Path) -> None:
    settings = study(test_mixing.CHANGES).neighbours
    assert settings is not None
    missing = settings.model_copy(update={"backbone": f"vgg19@{tmp_path / 'missing.pth'}"})
    with pytest.raises(UserError, match=r"^neighbours\.backbone: .*missing\.pth"):
        stores.make_neighbours(store, missing, 0, tmp_path / "cache")


def test_the_digest_of_weights_follows_the_files(tmp_path: Path) -> None:
    assert stores.weights_digest("efficientnet_lite0") == ""
    file = tmp_path / "weights.pth"
    file.write_bytes(b"one")
    one = stores.weights_digest(f"vgg19@{file}")
    assert one
    assert stores.weights_digest(f"deepcluster@{tmp_path}") == one
    file.write_bytes(b"two")
    assert stores.weights_digest(f"vgg19@{file}") not in ("", one)
