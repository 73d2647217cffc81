"""The grids of a study as cells, and the selection of cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.studies import grid, plan
from latent_atlas.util.console import UserError
from tests.studies.conftest import TINY, Writer


def test_a_grid_has_every_beta_with_every_latent_size(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"beta": [8]}}})
    cells = grid.cells_of(plan.load("tiny", "small"))
    assert [(cell.run.beta, cell.run.latent_dim) for cell in cells] == [
        (1, 2),
        (1, 3),
        (4, 2),
        (4, 3),
        (8, 3),
    ]


def test_equal_cells_of_two_tables_are_one(tiny: Writer) -> None:
    tiny()
    cells = grid.cells_of(plan.load("tiny", "small"))
    shared = [cell for cell in cells if len(cell.tables) == 2]
    assert len(cells) == 5
    assert [(cell.run.beta, cell.run.latent_dim, cell.tables) for cell in shared] == [
        (4, 3, ("5.1", "5.10"))
    ]


def test_a_cell_without_settings_of_its_own_has_a_short_name(tiny: Writer) -> None:
    tiny()
    cells = grid.cells_of(plan.load("tiny", "small"))
    assert cells[0].knobs == ""
    assert cells[0].run.name == "circles_mono_beta_vae_conv_bernoulli_b1_z2_s0"


def test_a_table_can_start_at_small_biases(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"mean_start": False}}})
    cells = grid.cells_of(plan.load("tiny", "small"))
    own = [cell for cell in cells if cell.tables == ("5.10",)]
    assert own and all(not cell.run.mean_start for cell in own)
    assert all("starts_at_small_biases" in cell.run.name for cell in own)
    assert all(cell.run.mean_start for cell in cells if cell not in own)


def test_another_likelihood_is_another_cell(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"likelihood": "gaussian"}}})
    names = {cell.run.name for cell in grid.cells_of(plan.load("tiny", "small"))}
    assert len(names) == 6


def test_a_constant_rate_in_a_study_with_a_schedule_is_another_cell(tiny: Writer) -> None:
    tiny({"train": {"schedule": {2: 0.1}}, "tables": {"5.10": {"schedule": {}}}})
    cells = grid.cells_of(plan.load("tiny", "small"))
    assert len({cell.run.name for cell in cells}) == len(cells) == 6
    assert {cell.knobs for cell in cells} == {"", "constant rate"}


def test_a_table_can_have_its_own_epochs_and_schedule(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"epochs": {"sample": 7, "full": 9}, "schedule": {5: 0.1}}}})
    cells = grid.cells_of(plan.load("tiny", "small"))
    own = [cell for cell in cells if "5.10" in cell.tables]
    assert len(cells) == 6  # β 4 with 3 latents is in both tables, and no longer one cell
    assert {(cell.run.epochs, cell.knobs) for cell in own} == {
        (7, "7 epochs, rate × 0.1 from epoch 5")
    }
    assert all(cell.run.train.schedule == {5: 0.1} for cell in own)
    assert len({cell.run.name for cell in cells}) == 6


def test_two_different_cells_with_one_name_are_refused(tiny: Writer) -> None:
    tiny({"tables": {"5.1": {"options": {}, "beta": [1.0000001, 1]}}})
    with pytest.raises(UserError, match=r"tables 5\.1 and 5\.1: two different trainings have the"):
        grid.cells_of(plan.load("tiny", "small"))


def test_the_scale_decides_seeds_and_epochs(tiny: Writer) -> None:
    tiny()
    small, full = (grid.cells_of(plan.load("tiny", scale)) for scale in ("small", "full"))
    assert {cell.run.epochs for cell in small} == {2}
    assert {cell.run.epochs for cell in full} == {3}
    assert [cell.run.seed for cell in full] == [0] * 5 + [1] * 5
    assert len({cell.run.name for cell in full}) == 10


def test_a_table_can_have_its_own_seeds(tiny: Writer) -> None:
    tiny({"tables": {"5.10": {"seeds": {"sample": 3, "full": 3}}}})
    cells = grid.cells_of(plan.load("tiny", "small"))
    assert sorted(cell.run.seed for cell in cells if "5.10" in cell.tables) == [0, 0, 1, 1, 2, 2]


def _cells() -> list[grid.Cell]:
    return grid.cells_of(plan.Study.model_validate(TINY, context={"scale": "full"}))


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
def test_a_selection_has_the_cells_that_fit_every_term(only: str, count: int) -> None:
    assert len(grid.select(_cells(), only)) == count


@given(st.sets(st.sampled_from(["1", "4", "8"]), min_size=1))
def test_a_selection_keeps_the_order(values: set[str]) -> None:
    cells = _cells()
    selected = grid.select(cells, f"beta={','.join(sorted(values))}")
    assert selected == [cell for cell in cells if f"{cell.run.beta:g}" in values]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("betta=1", "found 'betta=1'; did you mean 'beta'.; expected key=value"),
        ("beta", "expected key=value"),
        ("beta=5", "no cell has beta '5'; expected one of 1, 4, 8"),
        ("beta=8 latent_dim=2", "no cell fits all of .*; remove a term"),
    ],
)
def test_a_wrong_selection_is_one_line(only: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grid.select(_cells(), only)
