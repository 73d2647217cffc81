"""The stage cartography: its outputs, and refused input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from latent_atlas.analysis.latent_space.summary import TABLES
from latent_atlas.config import reading
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages.cartography import main
from tests.conftest import ROOT
from tests.stages.tables import read_metrics

MakeStore = Callable[..., Store]
SMALL = {"clusters": [2, 3], "draws": 4, "resamples": 20, "mapped": 30, "thumbnails": 4}


@pytest.fixture
def repository(tmp_path: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of one epoch, trained on blobs in place of paintings."""
    values = reading.read(ROOT / "params.yaml")
    values["cartography"] |= SMALL
    values["data"]["paintings"] |= {"height": 32, "width": 32}
    values["runs"]["paintings"] = {
        name: values["runs"]["paintings"][name]
        | {"epochs": {"sample": 1, "full": 1}, "latent_dim": 3}
        for name in ("paintings_beta_vae", "paintings_aae")
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    store = make_store(count=120, name="paintings")
    for name in values["runs"]["paintings"]:
        run = reading.load().run(name)
        loop.train(run, store, Path("models") / name, tmp_path / "state.pt")
    return tmp_path


def run_stage(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    monkeypatch.setattr(sys, "argv", ["cartography", data])
    main()


def test_the_stage_writes_metrics_tables_and_plots_of_every_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_stage(monkeypatch, "paintings")
    metrics = json.loads(Path("metrics/paintings-cartography.json").read_text())
    assert set(metrics) == {"paintings_beta_vae", "paintings_aae"}
    values = read_metrics(repository, "paintings-cartography")
    for run, numbers in metrics.items():
        assert set(numbers) == {"explained", "knn_style", "energy_prior"}
        assert numbers == {name: values[run][name] for name in numbers}
        assert {"valid_reconstruction", "floor", "ami_style", "trust_pca"} < set(values[run])
    folder = Path("plots/paintings-cartography")
    for name in TABLES:
        rows = pd.read_csv(folder / f"{name}.csv")
        assert set(rows["run"]) == {"paintings_beta_vae", "paintings_aae"}
    plots = {path.stem for path in folder.glob("*.png")}
    assert plots == {
        "components",
        "clusters_style",
        "partitions",
        "prior",
        "map_paintings_beta_vae",
        "map_paintings_aae",
    }
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 200
    before = {path: path.read_bytes() for path in folder.iterdir()}
    run_stage(monkeypatch, "paintings")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_data_without_a_run_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="did you mean 'paintings'"):
        run_stage(monkeypatch, "painting")
    (repository / "data" / "paintings").rename(repository / "data" / "digits")
    card = json.loads(Path("data/digits/card.json").read_text())
    Path("data/digits/card.json").write_text(json.dumps(card | {"name": "digits"}))
    with pytest.raises(UserError, match=r"runs.paintings: no run on data 'digits'; add one"):
        run_stage(monkeypatch, "digits")
    assert not Path("metrics").exists()


def test_too_many_clusters_are_refused_with_their_key(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = reading.read(Path("params.yaml"))
    values["cartography"]["clusters"] = [60, 70]
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=r"^cartography\.clusters: found 60 as the smallest number"):
        run_stage(monkeypatch, "paintings")
