"""The schema of a study, and its documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.config.charts import CHARTS
from latent_atlas.config.reading import merge
from latent_atlas.studies import grid, plan, results
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.studies.charts import test_mixing
from tests.studies.conftest import Writer

REFERENCE = (ROOT / "docs/reference/studies.md").read_text(encoding="utf-8")


def test_the_documented_example_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    assert example is not None
    folder = tmp_path / "studies" / "squares"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(example[1])
    monkeypatch.chdir(tmp_path)
    assert len(grid.cells_of(plan.load("squares", "full"))) == 2 * 3 * 3


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_documented_with_its_needs(chart: str) -> None:
    entry = CHARTS[chart]
    needs = "; ".join(filter(None, [", ".join(f"`{key}`" for key in entry.keys), entry.images]))
    assert f"| `{chart}` | {entry.shows} | {needs} |".replace("|  |", "| |") in REFERENCE


@pytest.mark.parametrize("key", plan.Study.model_fields)
def test_every_key_is_documented(key: str) -> None:
    assert f"| `{key}` |" in REFERENCE


def test_a_given_source_replaces_that_of_the_study(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"full_source": "drawn:garments"}}})
    study = plan.load("tiny", "small")

    def source(scale: plan.Scale, other: str | None) -> str:
        return study.data_set("circles_mono", scale, other).source

    assert source("small", None) == "drawn:circles_mono"
    assert source("full", None) == "drawn:garments"
    assert source("full", "photos") == "photos"


def test_a_drawn_source_without_a_count_is_one_line(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"source": "photos", "count": None}}})
    with pytest.raises(UserError) as error:
        plan.load("tiny", "small").data_set("circles_mono", "small", "drawn:garments")
    assert re.match(r"data\.circles_mono: .*'drawn:garments' .*count", str(error.value))
    assert "\n" not in str(error.value)


def test_classes_of_a_given_source_apply_to_it_only(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"given_classes": ["a", "b"]}}})
    study = plan.load("tiny", "small")
    assert study.data_set("circles_mono", "full", None).classes is None
    assert study.data_set("circles_mono", "full", "pictures").classes == ["a", "b"]


@pytest.mark.parametrize("name", [one for one in plan.names() if not plan.is_of_translation(one)])
def test_the_studies_of_the_repository_are_valid(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for scale in ("small", "full"):
        assert grid.cells_of(plan.load(name, scale))


def test_the_studies_cover_every_published_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("circles", "clothes"):
        tables = plan.load(name, "small").tables
        for _, row in results.read_published(name).iterrows():
            table = tables[row["table"]]
            assert row["beta"] in table.beta
            assert row["latent_dim"] in table.latent_dim


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tabels": {}}, "studies/tiny/study.yaml: tabels: unknown key; did you mean 'tables'?"),
        (
            {"tables": {"5.1": {"betas": [1]}}},
            "studies/tiny/study.yaml: tables.5.1.betas: unknown key; did you mean 'beta'?",
        ),
        (
            {"tables": {"5.1": {"beta": [-1]}}},
            "tables.5.1.beta.0: found -1, expected greater than or equal to 0",
        ),
        (
            {"tables": {"5.1": {"data": "circles_mona"}}},
            "tables.5.1.data: found 'circles_mona', expected one of circles_mono; did you mean",
        ),
        ({"tables": {"5.1": {"model": "vae"}}}, "model 'vae' has β 1; write beta: [1]"),
        (
            {"tables": {"5.1": {"loss_weights": {"generation": 1.0}}}},
            "loss_weights: model 'beta_vae' has no term 'generation'; it was renamed to 'reconstru",
        ),
        (
            {"data": {"circles_mono": {"height": 40}}},
            "conv takes multiples of 32, but data.circles_mono is 40×32",
        ),
        ({"figures": ["mesh"]}, "figures: unknown key; it was renamed to 'charts'"),
        ({"paths": {}}, "paths: unknown key; it was renamed to 'interpolation'"),
        ({"scenes": {}}, "scenes: unknown key; it was renamed to 'mixing'"),
        ({"charts": ["latents"]}, "charts: found 'latents', expected one of reconstruction_loss"),
        ({"charts": ["latents"]}, "disentanglement, latent_spaces, interpolation, mixing; it was"),
        ({"charts": ["mash"]}, "charts: found 'mash', expected one of reconstruction_loss"),
        ({"charts": ["mesh"]}, "charts: mesh needs the key plane; add it"),
        ({"charts": ["latent_spaces"]}, "charts: latent_spaces needs the key cartography; add it"),
        ({"charts": ["disentanglement"]}, "charts: disentanglement needs the key examine; add it"),
    ],
)
def test_a_wrong_study_is_one_line(tiny: Writer, changes: dict[str, Any], message: str) -> None:
    tiny(changes)
    with pytest.raises(UserError) as error:
        plan.load("tiny", "small")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"charts": [], "neighbours": None}, "'mixing' sees partner images; add the key neighbou"),
        ({"neighbours": None}, "charts: mixing needs the key neighbours; add it"),
        ({"mixing": None}, "charts: mixing needs the key mixing; add it"),
        ({"neighbours": {"backbone": "deepcluster"}}, "write deepcluster@<folder>, or choose"),
        ({"tables": {"5.1": {"latent_dim": [30]}}}, "latent_dim: found 30, expected a multiple"),
        ({"neighbours": {"tiles": 3}}, "options.tiles: found 2, expected the 3 of neighbours.ti"),
    ],
)
def test_a_wrong_study_of_mixed_scenes_is_one_line(
    tiny: Writer, changes: dict[str, Any], message: str
) -> None:
    tiny(merge(test_mixing.CHANGES, changes))
    with pytest.raises(UserError) as error:
        plan.load("tiny", "small")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_without_tables_is_one_line(tiny: Writer) -> None:
    path = tiny() / "study.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("tables:")] + "tables: {}\n" + text[text.index("train:") :])
    with pytest.raises(UserError, match=r"study.yaml: tables: found .*, expected at least 1 item"):
        plan.load("tiny", "small")


def test_an_unknown_study_gets_the_nearest_name(tiny: Writer) -> None:
    tiny()
    with pytest.raises(UserError, match=r"^no study 'tinny'; did you mean 'tiny'\?; expected one"):
        plan.load("tinny", "small")
