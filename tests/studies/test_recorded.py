"""Recorded results in ``studies/*/results`` have the names that the code writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from latent_atlas.config.reading import read
from latent_atlas.metrics.reconstruction import final_losses
from latent_atlas.studies.results import CELL
from latent_atlas.studies.translation.tables import COLUMNS as SCORES
from tests.conftest import ROOT

EVERY = sorted(path for path in ROOT.glob("studies/*/results/*") if path.is_dir())

FOLDERS = [path for path in EVERY if (path / "results.csv").is_file()]

TRANSLATIONS = [path for path in EVERY if "runs" in read(path.parents[1] / "study.yaml")]

ALWAYS = r"results\.csv|metrics\.json|table\.md|source\.txt"
"""Files of every study; `source.txt` is younger than some results."""

FILES = {
    "reconstruction_loss": r"reconstruction_loss\.png",
    "active_latents": r"active_latents\.png",
    "scatter": r"\w+_scatter\.png",
    "recognition": r"\w+_recognition\.(csv|png)",
    "experts": r"\w+_z\d+_experts\.(csv|png)",
    "retrieval": r"\w+_retrieval\.(csv|png)",
    "disentanglement": r"disentanglement\.(md|png)|(\w+_)?latents_s\d+\.png",
    "latent_spaces": (
        r"\w+_latent_spaces\.md|\w+_(losses|components|styles|silhouettes|clusters|pairs|numbers)\.csv"
        r"|components\.png|clusters_\w+\.png|partitions\.png|prior\.png"
    ),
    "interpolation": (
        r"\w+_interpolation\.md|\w+_interpolation/((groups|kinds|style_auc)\.csv"
        r"|(kinds|style_auc|curvature_dissolve|curves_(intra|inter|extremes))\.png)"
    ),
    "mixing": r"\w+_mixing\.(csv|md)",
}
"""Chart → pattern of its files outside ``pictures``."""


def ids(path: Path) -> str:
    return f"{path.parts[-3]}-{path.name}"


def check_files(folder: Path) -> None:
    """Check that every file in the results of a study belongs to a chart, and the other way."""
    charts = read(folder.parents[1] / "study.yaml")["charts"]
    names = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "pictures" not in path.parts
    }
    patterns = [FILES[chart] for chart in charts if chart in FILES]
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in names), pattern
    unknown = {name for name in names if not re.fullmatch("|".join([ALWAYS, *patterns]), name)}
    assert not unknown


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_every_file_belongs_to_a_chart_and_every_chart_has_files(folder: Path) -> None:
    check_files(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_columns_have_the_names_and_the_order_that_the_code_writes(folder: Path) -> None:
    table = pd.read_csv(folder / "results.csv")
    assert tuple(table.columns[: len(CELL)]) == CELL
    metrics = table.drop(columns=list(CELL))
    in_order = [name for _, row in metrics.iterrows() for name in sorted(row.dropna().index)]
    assert list(metrics) == list(dict.fromkeys(in_order))
    history = {
        f"{split}_{term}": [1.0]
        for split in ("train", "valid")
        for term in ("kl", "reconstruction")
    }
    losses = {name for name in metrics if re.match(r"(train|valid)_", name)}
    assert losses <= set(final_losses(pd.DataFrame(history)))
    assert any("reconstruction" in name for name in losses)


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_the_metrics_are_the_columns_of_the_results(folder: Path) -> None:
    table = pd.read_csv(folder / "results.csv")
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics.pop("cells")["finished"] == len(table)
    metrics.pop("at_most_published")
    assert set(metrics) == set(table["data"])
    names = {name for data in metrics.values() for values in data.values() for name in values}
    assert names == set(table) - set(CELL)


def test_every_folder_is_of_either_kind() -> None:
    assert sorted([*FOLDERS, *TRANSLATIONS]) == EVERY


@pytest.mark.parametrize("folder", TRANSLATIONS, ids=ids)
def test_results_of_translations_have_a_sheet_of_each_run(folder: Path) -> None:
    table = pd.read_csv(folder / "scores.csv")
    assert tuple(table) == SCORES
    runs = set(table["run"])
    assert runs <= set(read(folder.parents[1] / "study.yaml")["runs"])
    sheets = {path.stem for path in folder.glob("*.png")}
    assert sheets <= runs
    files = {path.name for path in folder.iterdir()} - {f"{name}.png" for name in sheets}
    assert (
        {"scores.csv", "table.md"} <= files <= {"scores.csv", "table.md", "source.txt", "pictures"}
    )
