"""Fixtures that make a store of a source in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources import http
from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.ingest import write_store
from latent_atlas.data.sources.items import IngestRequest
from latent_atlas.data.store import Store, open_store
from latent_atlas.util.console import fields_of
from tests.data.sources.pictures import Build


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a repository of its own, with short pauses between downloads."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LATENT_ATLAS_ROOT", raising=False)
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def make_request(tmp_path: Path) -> Callable[..., IngestRequest]:
    """``make_request(source, height=8, …)``: the request for a data set of params.yaml."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def make(source: str | Path, seed: int = 0, **options: Any) -> IngestRequest:
        sides = {side: options.pop(side, 8) for side in ("height", "width")}
        values = {"source": str(source), "height": 64, "width": 64, **options}
        data = DataSet.model_validate(values)
        # Smaller than the schema allows: fast, and few enough pixels to write down.
        return IngestRequest(data.model_copy(update=sides), seed, scratch)

    return make


@pytest.fixture
def build(tmp_path: Path, make_request: Callable[..., IngestRequest]) -> Build:
    """``build(source, height=8, …)``: the store of a source, with errors as the stage has them."""

    def make(source: str | Path, jobs: int = 1, name: str = "mine", **options: Any) -> Store:
        request = make_request(source, **options)
        folder = tmp_path / "stores" / name
        with fields_of("data.mine"):
            write_store(name, request.data, open_source(request), folder, jobs)
        return open_store(folder)

    return make
