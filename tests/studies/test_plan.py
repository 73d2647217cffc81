"""The schema of a study, and its grids as cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.studies import plan
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.studies.conftest import TINY, Writer


def test_a_grid_is_every_beta_with_every_latent_size(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"beta": [8]}}})
    cells = plan.cells(plan.load("tiny"), "small")
    assert [(cell.run.beta, cell.run.latent_dim) for cell in cells] == [
        (1, 2),
        (1, 3),
        (4, 2),
        (4, 3),
        (8, 3),
    ]


def test_the_documented_example_can_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/studies.md").read_text(), re.DOTALL)
    assert example is not None
    folder = tmp_path / "studies" / "squares"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(example[1])
    monkeypatch.chdir(tmp_path)
    assert len(plan.cells(plan.load("squares"), "full")) == 2 * 3 * 3


def test_a_table_can_begin_at_small_biases(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"mean_start": False}}})
    cells = plan.cells(plan.load("tiny"), "small")
    own = [cell for cell in cells if cell.tables == ("5.10",)]
    assert own and all(not cell.run.train.mean_start for cell in own)
    assert all("begun_at_small_biases" in cell.run.name for cell in own)
    assert all(cell.run.train.mean_start for cell in cells if cell not in own)


def test_equal_cells_of_two_tables_are_one(tiny: Writer) -> None:
    tiny()
    cells = plan.cells(plan.load("tiny"), "small")
    shared = [cell for cell in cells if len(cell.tables) == 2]
    assert len(cells) == 5
    assert [(cell.run.beta, cell.run.latent_dim, cell.tables) for cell in shared] == [
        (4, 3, ("5.1", "5.10"))
    ]


def test_another_likelihood_is_another_cell(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"likelihood": "gaussian"}}})
    names = {cell.run.name for cell in plan.cells(plan.load("tiny"), "small")}
    assert len(names) == 6


def test_a_constant_rate_in_a_study_of_steps_is_another_cell(tiny: Writer) -> None:
    steps = {"train": {"schedule": {2: 0.1}}, "tables": {"5.10": {"schedule": {}}}}
    tiny(steps)
    cells = plan.cells(plan.load("tiny"), "small")
    assert len({cell.run.name for cell in cells}) == len(cells) == 6
    assert {cell.knobs for cell in cells} == {"", "constant rate"}


def test_two_cells_of_one_name_are_refused(tiny: Writer) -> None:
    tiny({"tables": {"5.1": {"options": {}, "beta": [1.0000001, 1]}}})
    with pytest.raises(
        UserError, match=r"tables 5\.1 and 5\.1: two trainings that differ are both"
    ):
        plan.cells(plan.load("tiny"), "small")


def test_the_scale_decides_seeds_and_epochs(tiny: Writer) -> None:
    tiny()
    study = plan.load("tiny")
    small, full = plan.cells(study, "small"), plan.cells(study, "full")
    assert {cell.run.epochs for cell in small} == {2}
    assert {cell.run.epochs for cell in full} == {3}
    assert [cell.run.seed for cell in full] == [0] * 5 + [1] * 5
    assert len({cell.run.name for cell in full}) == 10


def test_a_table_can_have_seeds_of_its_own(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"seeds": {"sample": 3, "full": 3}}}})
    cells = plan.cells(plan.load("tiny"), "small")
    assert sorted(cell.run.seed for cell in cells if "5.10" in cell.tables) == [0, 0, 1, 1, 2, 2]


def test_a_source_takes_the_place_of_the_own(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"full_source": "drawn:garments"}}})
    study = plan.load("tiny")

    def source(scale: plan.Scale, other: str | None) -> str:
        return plan.data_set(study, "circles_mono", scale, other).source

    assert source("small", None) == "drawn:circles_mono"
    assert source("full", None) == "drawn:garments"
    assert source("full", "photos") == "photos"


def test_a_drawn_source_without_a_count_is_one_line(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"source": "photos", "count": None}}})
    with pytest.raises(UserError) as error:
        plan.data_set(plan.load("tiny"), "circles_mono", "small", "drawn:garments")
    assert str(error.value) == (
        "data.circles_mono: source 'drawn:garments' is drawn and needs a count"
    )


def test_classes_of_a_given_source_are_asked_of_it_alone(tiny: Writer) -> None:
    tiny({"data": {"circles_mono": {"given_classes": ["a", "b"]}}})
    study = plan.load("tiny")
    assert plan.data_set(study, "circles_mono", "full", None).classes is None
    assert plan.data_set(study, "circles_mono", "full", "pictures").classes == ["a", "b"]


@pytest.mark.parametrize("name", plan.names())
def test_the_studies_of_the_repository_are_valid(name: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    study = plan.load(name)
    for scale in ("small", "full"):
        assert plan.cells(study, scale)


def test_the_studies_cover_every_published_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    from latent_atlas.studies import results

    monkeypatch.chdir(ROOT)
    for name in ("circles", "clothes"):
        tables = plan.load(name).tables
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
            {"data": {"circles_mono": {"height": 40}}},
            "conv takes multiples of 32, but data.circles_mono is 40×32",
        ),
        ({"figures": ["mesh"]}, "mesh and scatter need the section plane"),
        ({"figures": ["mash"]}, "figures.0: found 'mash', expected"),
        ({"figures": ["disentanglement"]}, "disentanglement shows what examine measures; set it"),
    ],
)
def test_a_wrong_study_is_one_line(tiny: Writer, changes: dict[str, Any], message: str) -> None:
    tiny(changes)
    with pytest.raises(UserError) as error:
        plan.load("tiny")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_without_tables_is_one_line(tiny: Writer) -> None:
    path = tiny() / "study.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("tables:")] + "tables: {}\n" + text[text.index("train:") :])
    with pytest.raises(UserError, match=r"study.yaml: tables: found none, expected at least"):
        plan.load("tiny")


def test_an_unknown_study_gets_the_nearest_name(tiny: Writer) -> None:
    tiny()
    with pytest.raises(UserError, match=r"^no study 'tinny'; did you mean 'tiny'\? \(there are"):
        plan.load("tinny")


def _cells() -> list[plan.Cell]:
    return plan.cells(plan.Study.model_validate(TINY), "full")


@pytest.mark.parametrize(
    ("only", "count"),
    [
        ("", 10),
        ("seed=1", 5),
        ("beta=1 latent_dim=3", 2),
        ("table=5.10 seed=0", 2),
        ("beta=4,8 latent_dim=3 seed=0", 2),
        ("data=circles_mono", 10),
    ],
)
def test_only_selects(only: str, count: int) -> None:
    assert len(plan.select(_cells(), only)) == count


@given(st.sets(st.sampled_from(["1", "4", "8"]), min_size=1))
def test_a_selection_keeps_the_order_and_nothing_else(values: set[str]) -> None:
    cells = _cells()
    chosen = plan.select(cells, f"beta={','.join(sorted(values))}")
    assert chosen == [cell for cell in cells if f"{cell.run.beta:g}" in values]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("betta=1", "found 'betta=1'; did you mean 'beta'.; expected key=value"),
        ("beta", "expected key=value"),
        ("beta=5", "no cell has beta '5' \\(there are 1, 4, 8\\)"),
        ("beta=8 latent_dim=2", "no cell fits all of"),
    ],
)
def test_a_wrong_selection_is_one_line(only: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan.select(_cells(), only)


def test_a_table_can_train_longer_and_at_other_rates(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"epochs": {"sample": 7, "full": 9}, "schedule": {5: 0.1}}}})
    cells = plan.cells(plan.load("tiny"), "small")
    own = [cell for cell in cells if "5.10" in cell.tables]
    assert len(cells) == 6  # β 4 with 3 latents stands in both tables, and is no longer one
    assert {(cell.run.epochs, cell.knobs) for cell in own} == {
        (7, "7 epochs, rate × 0.1 from epoch 5")
    }
    assert all(cell.run.train.schedule == {5: 0.1} for cell in own)
    assert len({cell.run.name for cell in cells}) == 6
