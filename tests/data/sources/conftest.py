"""A source made into a store in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.data.sources.items import Asked
from latent_atlas.data.store import Store, open_store
from tests.data.sources.pictures import Build


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test in a repository of its own."""
    place = tmp_path / "repository"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("LATENT_ATLAS_ROOT", raising=False)


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Asked]:
    """``asked(source, height=8, …)``: what params.yaml would ask."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def make(source: str | Path, seed: int = 0, **options: Any) -> Asked:
        sides = {side: options.pop(side, 8) for side in ("height", "width")}
        values = {"source": str(source), "height": 64, "width": 64, **options}
        data = DataSet.model_validate(values)
        # Smaller than any network takes: quick, and small enough to write down.
        return Asked("mine", data.model_copy(update=sides), seed, scratch)

    return make


@pytest.fixture
def build(tmp_path: Path, asked: Callable[..., Asked]) -> Build:
    """``build(source, height=8, …)``: the store made of a source."""

    def make(source: str | Path, workers: int = 1, name: str = "mine", **options: Any) -> Store:
        request = asked(source, **options)
        folder = tmp_path / "stores" / name
        ingest(name, request.data, open_source(request), folder, workers)
        return open_store(folder)

    return make
