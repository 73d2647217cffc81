"""Interpolation in the latent spaces of a study: measured by workers, shown by the chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from latent_atlas.analysis.interpolation import experiments
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.studies.run import Request, run_study
from tests.studies.conftest import Writer
from tests.studies.test_recorded import check_files

CELL = {"network": "conv", "likelihood": "gaussian", "latent_dim": [3]}
SETTINGS: dict[str, Any] = {
    "pairs": {"sample": 3, "full": 5},
    "compared": {"sample": 4, "full": 5},
    "steps": 5,
    "long_steps": 8,
    "iterations": {"sample": 2, "full": 2},
    "reference": {"sample": 20, "full": 20},
    "neighbours": 4,
    "auc_images": {"sample": 16, "full": 16},
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
    "charts": ["interpolation"],
    "interpolation": SETTINGS,
}


def test_every_model_interpolates_between_the_same_pairs(tiny: Writer, tmp_path: Path) -> None:
    tiny(CHANGES)
    run_study(Request("tiny"))
    folder = tmp_path / "studies" / "tiny" / "results" / "small"
    check_files(folder)
    kinds = pd.read_csv(folder / "circles_mono_interpolation" / "kinds.csv")
    assert kinds[["model", "kind"]].to_numpy().tolist() == [
        [model, kind] for model in ("ae", "beta_vae") for kind in KINDS
    ]
    groups = pd.read_csv(folder / "circles_mono_interpolation" / "groups.csv")
    assert set(groups["curves"]) == {3}
    text = (folder / "circles_mono_interpolation.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| beta_vae | linear |"))
    mean = kinds[(kinds["model"] == "beta_vae") & (kinds["kind"] == "linear")]["style"].item()
    assert float(row.split(" | ")[2].split(" (")[0]) == pytest.approx(mean, rel=0.01)
    assert "the same 4 pairs" in text
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    assert {f"strips_{model}.png" for model in ("ae", "beta_vae")} <= pictures
    assert not list((folder / "circles_mono_interpolation").glob("strips*"))

    # The workers' files hold what is shown, and are not measured again.
    saved = sorted(tmp_path.glob(".cache/studies/tiny/cells/*/interpolation.npz"))
    parts = [experiments.load_interpolations(path) for path in saved]
    firsts = [
        [one.pairs.first.tolist() for one in part if one.pairs.experiment == "compared"]
        for part in parts
    ]
    assert firsts[0] == firsts[1]
    assert all(len(one.curves.images) == 2 for part in parts for one in part[: len(KINDS)])
    before = [path.stat().st_mtime_ns for path in saved]
    run_study(Request("tiny"))
    assert [path.stat().st_mtime_ns for path in saved] == before
