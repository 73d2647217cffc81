"""Walks through the codes of a study's models: measured by workers, written by the study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from latent_atlas.analysis.interpolation import experiments
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.studies import plan
from stages import study as stage
from tests.studies.conftest import TINY, Writer

CELL = {"network": "conv", "likelihood": "gaussian", "latent_dim": [3]}
PATHS: dict[str, Any] = {
    "pairs": {"sample": 3, "full": 5},
    "compared": {"sample": 4, "full": 5},
    "steps": 5,
    "long_steps": 8,
    "iterations": {"sample": 2, "full": 2},
    "reference": {"sample": 20, "full": 20},
    "neighbours": 4,
    "separated": {"sample": 16, "full": 16},
    "backbone": "vgg19_random",
    "layers": {"conv1_1": 0.5, "conv2_1": 0.5},
    "size": 16,
    "examples": 2,
}
CHANGES: dict[str, Any] = {
    "data": {
        "circles_mono": {"source": "drawn:brushwork", "channels": 3, "count": {"sample": 120}}
    },
    "tables": {
        "5.1": {"model": "ae", "beta": [0], **CELL},
        "5.10": {"model": "beta_vae", "beta": [4], **CELL},
    },
    "train": {"epochs": {"sample": 1, "full": 1}},
    "figures": ["walks"],
    "paths": PATHS,
}


def test_every_model_walks_between_the_same_pairs(
    tiny: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny(CHANGES)
    monkeypatch.setattr(sys, "argv", ["study", "tiny"])
    stage.main()
    folder = tmp_path / "studies" / "tiny" / "results" / "small"
    kinds = pd.read_csv(folder / "circles_mono_walks" / "kinds.csv")
    assert kinds[["model", "kind"]].to_numpy().tolist() == [
        [model, kind] for model in ("ae", "beta_vae") for kind in KINDS
    ]
    groups = pd.read_csv(folder / "circles_mono_walks" / "groups.csv")
    assert set(groups["paths"]) == {3}
    text = (folder / "circles_mono_walks.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| beta_vae | linear |"))
    mean = kinds[(kinds["model"] == "beta_vae") & (kinds["kind"] == "linear")]["style"].item()
    assert float(row.split(" | ")[2].split(" (")[0]) == pytest.approx(mean, rel=0.01)
    assert "the same 4 pairs" in text
    shown = {path.name for path in (folder / "pictures").iterdir()}
    assert {f"strips_{model}.png" for model in ("ae", "beta_vae")} <= shown
    assert not list((folder / "circles_mono_walks").glob("strips*"))

    # What the workers kept is what is shown, and it is not measured again.
    kept = sorted(tmp_path.glob(".cache/studies/tiny/cells/*/walks.npz"))
    joined = [experiments.load(path) for path in kept]
    firsts = [
        [one.pairs.first.tolist() for one in part if one.pairs.experiment == "compared"]
        for part in joined
    ]
    assert firsts[0] == firsts[1]
    assert all(len(one.walk.pictures) == 2 for part in joined for one in part[: len(KINDS)])
    before = [path.stat().st_mtime_ns for path in kept]
    stage.main()
    assert [path.stat().st_mtime_ns for path in kept] == before


def test_walks_need_their_section() -> None:
    with pytest.raises(ValueError, match="walks need the section paths"):
        plan.Study.model_validate({**TINY, "figures": ["walks"]})
