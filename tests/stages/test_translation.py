"""`stages.train` and `stages.translation` of runs under ``runs.translation``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.models import backbones
from latent_atlas.util.console import UserError
from stages import train
from stages import translation as stage
from tests.conftest import ROOT
from tests.translations import draw_garments, tiny_backbone

SMALL = {"data": "garments", "epochs": {"sample": 1, "full": 1}}
RUNS: dict[str, Any] = {
    "red": {
        "model": "pix2pix",
        "pairs": {"edit": {"color": "red"}},
        "options": {"width": 0.0625},
        "batch_size": 20,
    },
    "noise": {"model": "dcgan", "options": {"width": 0.0625}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a store ``garments``, and two translation runs of it."""
    draw_garments(tmp_path / "data", 120)
    values = reading.without_runs(reading.read(ROOT / "params.yaml"))
    values["data"]["garments"] = values["data"]["clothes"] | {"height": 32, "width": 32}
    values["runs"]["beta"] = {
        "vae": SMALL | {"model": "beta_vae", "network": "conv", "likelihood": "bernoulli"}
    }
    values["runs"]["translation"] = {name: SMALL | run for name, run in RUNS.items()}
    values["translation"] |= {
        "images": {"sample": 12, "full": 12},
        "classifier_epochs": {"sample": 1, "full": 1},
        "outputs": 2,
        "vae": "vae",
        "resamples": 20,
    }
    values["train"]["accelerator"] = "cpu"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backbones, "load", lambda name, seed: tiny_backbone())
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, main: Any, *names: str) -> None:
    monkeypatch.setattr(sys, "argv", ["stage", *names])
    main()


def test_runs_train_and_are_scored_beside_the_baselines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, train.main, "vae", "red", "noise")
    call(monkeypatch, stage.main, "red", "noise")
    values = json.loads((folder / "metrics" / "red.json").read_text())
    assert set(values) == {"red"}
    assert set(values["red"]) == {"changed_l1", "success", "preservation"}
    assert set(json.loads((folder / "metrics" / "noise.json").read_text())["noise"]) == {
        "confident",
        "classes_found",
    }
    table = pd.read_csv(folder / "plots" / "red" / "scores.csv")
    names = {"red", "nothing", "nearest", "attribute_vector", "truth", "classifier"}
    assert set(table["model"]) == names
    for name in RUNS:
        assert (folder / "plots" / name / "sheet.png").stat().st_size > 1000
        assert (folder / "plots" / name / "metrics.csv").is_file()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["red", "noise"]
    assert all("parameters" in line and "images/s" in line for line in lines)
    written = {
        path: path.read_bytes()
        for part in ("metrics", "plots")
        for path in folder.glob(f"{part}/**/*.*")
    }
    call(monkeypatch, stage.main, "red", "noise")
    assert all(path.read_bytes() == content for path, content in written.items())


def test_a_run_that_is_not_there_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no run 'rad' under runs\.translation .*mean 'red'"):
        call(monkeypatch, stage.main, "rad")
    with pytest.raises(UserError, match=r"no run 'rad' in params\.yaml"):
        call(monkeypatch, train.main, "rad")
    with pytest.raises(UserError, match=r"models/red/config\.json: missing"):
        call(monkeypatch, stage.main, "red")
