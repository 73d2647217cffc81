"""The door of the cartography: what it writes, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from stages.cartography.__main__ import TABLES, main
from stages.lib import loop, params
from stages.lib.compare import flatten, judge
from stages.lib.console import UserError
from stages.lib.store import Store
from tests.conftest import ROOT

MakeStore = Callable[..., Store]
SMALL = {"clusters": [2, 3], "draws": 4, "resamples": 20, "mapped": 30, "thumbnails": 4}


@pytest.fixture
def repository(tmp_path: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of one epoch on blobs that stand for the paintings."""
    values = params.read(ROOT / "params.yaml")
    values["cartography"] |= SMALL
    values["data"]["art"] |= {"height": 32, "width": 32}
    values["runs"]["art"] = {
        name: values["runs"]["art"][name] | {"epochs": {"sample": 1, "full": 1}, "latent_dim": 3}
        for name in ("art_beta_vae", "art_aae")
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    store = make_store(count=120, name="art")
    for name in values["runs"]["art"]:
        run = params.load().run(name)
        loop.train(run, store, Path("models") / name, tmp_path / "state.pt")
    return tmp_path


def start(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    monkeypatch.setattr(sys, "argv", ["cartography", data])
    main()


def test_numbers_tables_and_figures_of_every_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, "art")
    metrics = json.loads(Path("metrics/art-cartography.json").read_text())
    assert set(metrics) == {"art_beta_vae", "art_aae"}
    gate = params.load().gate
    for metric, value in flatten(metrics).items():
        assert judge(metric, value, value, gate).verdict == "same"
    folder = Path("plots/art-cartography")
    for name in TABLES:
        rows = pd.read_csv(folder / f"{name}.csv")
        assert set(rows["run"]) == {"art_beta_vae", "art_aae"}
    pictures = {path.stem for path in folder.glob("*.png")}
    assert pictures == {
        "components",
        "clusters_style",
        "order",
        "prior",
        "map_art_beta_vae",
        "map_art_aae",
    }
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 200
    before = {path: path.read_bytes() for path in folder.iterdir()}
    start(monkeypatch, "art")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_data_without_a_run_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="did you mean 'art'"):
        start(monkeypatch, "arts")
    (repository / "data" / "art").rename(repository / "data" / "digits")
    card = json.loads(Path("data/digits/card.json").read_text())
    Path("data/digits/card.json").write_text(json.dumps(card | {"name": "digits"}))
    with pytest.raises(UserError, match=r"runs.art: no run on data 'digits'; add one"):
        start(monkeypatch, "digits")
    assert not Path("metrics").exists()
