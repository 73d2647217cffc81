"""Comparison of objectives: rows per table, UDR between seeds, and a whole study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from latent_atlas.studies import plan, results
from latent_atlas.studies.charts import disentanglement
from latent_atlas.studies.grid import cells_of
from latent_atlas.studies.run import Request, run_study
from latent_atlas.util.console import UserError
from tests.studies.conftest import TINY, Writer
from tests.studies.test_recorded import check_files

# Two objectives with the same β and latent size: their cells differ in their knobs only.
CHANGES: dict[str, Any] = {
    "seeds": {"sample": 2, "full": 2},
    "tables": {
        "5.1": {
            "model": "factor_vae",
            "network": "broadcast_small",
            "beta": [1],
            "latent_dim": [2],
            "options": {"gamma": 5.0, "units": 8, "layers": 1},
        },
        "5.10": {
            "model": "factor_vae",
            "network": "broadcast_small",
            "beta": [1],
            "latent_dim": [2],
            "options": {"gamma": 6.5, "units": 8, "layers": 1},
            "loss_weights": {"reconstruction": 0.5},
        },
    },
    "train": {"epochs": {"sample": 1, "full": 1}},
    "charts": ["disentanglement"],
    "examine": True,
}


def test_knobs_name_the_settings_that_are_not_defaults(tiny: Writer) -> None:
    tiny(CHANGES)
    study = plan.load("tiny", "small")
    assert study.tables["5.1"].knobs == "gamma 5, units 8, layers 1"
    assert study.tables["5.10"].knobs == "gamma 6.5, units 8, layers 1, reconstruction 0.5"
    cells = cells_of(study)
    assert [cell.knobs for cell in cells[:2]] == [
        study.tables["5.1"].knobs,
        study.tables["5.10"].knobs,
    ]
    assert len({cell.run.name for cell in cells}) == 4


def outcome(metrics: dict[str, dict[str, float]], stores: Any = None) -> results.Outcome:
    """The outcome of the tiny study with the cells in `metrics` finished."""
    study = plan.load("tiny", "small")
    cells = cells_of(study)
    return results.Outcome(
        "tiny",
        "small",
        study,
        cells,
        stores or {},
        results.cell_table(cells, metrics),
        results.read_published("tiny"),
        {name: Path(name) for name in metrics},
    )


def test_conditions_with_different_knobs_are_two(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = cells_of(plan.load("tiny", "small"))
    several = outcome({cell.run.name: {"mig": float(number)} for number, cell in enumerate(cells)})
    summary = several.summary()
    assert summary["mig"].to_list() == [1, 2]
    assert summary["seeds"].to_list() == [2, 2]
    metrics = results._metrics(several, results.compare_with_published(several))["circles_mono"]
    assert metrics == {
        f"factor_vae broadcast_small bernoulli {knobs} beta 1 latent_dim 2": {"mig": value}
        for knobs, value in zip(summary["knobs"], (1.0, 2.0), strict=True)
    }


@pytest.mark.filterwarnings("ignore:invalid value")  # standard deviation of infinite numbers
def test_an_infinite_value_is_no_metric(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = cells_of(plan.load("tiny", "small"))
    several = outcome({cell.run.name: {"mig": 1.0, "sap": float("inf")} for cell in cells})
    metrics = results._metrics(several, results.compare_with_published(several))["circles_mono"]
    assert [set(values) for values in metrics.values()] == [{"mig"}, {"mig"}]


def test_without_examined_cells_the_table_is_empty(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = cells_of(plan.load("tiny", "small"))
    some = outcome({cells[0].run.name: {"mig": 0.5}})
    assert disentanglement.disentanglement_table(some).empty
    assert disentanglement.disentanglement_table(outcome({})).empty


def test_every_data_set_is_named_with_its_tables(tiny: Writer) -> None:
    other = {**TINY["data"]["circles_mono"], "source": "drawn:garments"}
    third = {**TINY["data"]["circles_mono"], "source": "sklearn:digits"}
    tables = {
        name: {**TINY["tables"]["5.1"], "data": data, "beta": [1], "latent_dim": [2]}
        for name, data in (("5.2", "garments"), ("5.3", "digits"))
    }
    data = {"garments": other, "digits": third}
    tiny({"data": data, "tables": tables, "charts": ["disentanglement"], "examine": True})
    study = plan.load("tiny", "small")
    cells = cells_of(study)
    values = {cell.run.name: {"mig": 0.5, "sap": 0.5} for cell in cells}
    values[cells[-1].run.name] = {}  # digits have no true factors
    assert cells[-1].run.data == "digits"
    some = outcome(values, {name: Sized(size) for size, name in enumerate(study.data, 100)})
    rows = disentanglement.disentanglement_table(some)
    assert list(rows["data"]) == ["circles_mono"] * 5 + ["garments"]
    text = disentanglement._markdown(some, rows)
    assert "circles_mono (table 5.1, 5.10): 100 training images, 2 epochs; garments" in text
    assert "garments (table 5.2): 101 training images, 2 epochs. Mean ± sample" in text
    assert "digits" not in text


class Sized:
    """A store that has only a size."""

    def __init__(self, size: int) -> None:
        self.size = size

    def rows(self, split: str) -> range:
        return range(self.size)


class FakeRun:
    """A run whose codes are two pixels, rotated by an angle."""

    def __init__(self, angle: float, posterior: bool = True) -> None:
        self.rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.posterior = posterior
        self.run = type("Run", (), {"name": "fake"})

    def encode(self, images: Any) -> Any:
        return (images.reshape(len(images), -1)[:, :2] / 255 * 2 - 1) @ self.rotation * 1.7

    def log_variance(self, images: Any) -> Any:
        return np.full((len(images), 2), -4.0) if self.posterior else None


class Noise:
    """A store of noise images."""

    images = np.random.default_rng(0).integers(0, 256, (3000, 2, 1, 1), np.uint8)


def test_udr_is_high_for_equal_latents_and_low_for_rotated_ones() -> None:
    same = disentanglement.udr_of_runs([FakeRun(0.0), FakeRun(np.pi / 2)], Noise())  # type: ignore[arg-type, list-item]
    rotated = disentanglement.udr_of_runs([FakeRun(0.0), FakeRun(np.pi / 4)], Noise())  # type: ignore[arg-type, list-item]
    assert same.min() > 0.85
    assert rotated.max() < 0.6


class CollapsedRun(FakeRun):
    """The same latents, and one at the prior whose mean varies a little with the first latent."""

    def encode(self, images: Any) -> Any:
        codes = super().encode(images)
        return np.concatenate([codes, 0.01 * codes[:, :1]], axis=1)

    def log_variance(self, images: Any) -> Any:
        return np.full((len(images), 3), [-4.0, -4.0, 0.0])


def test_a_collapsed_latent_does_not_change_udr() -> None:
    expected = disentanglement.udr_of_runs([FakeRun(0.0), FakeRun(0.2)], Noise())  # type: ignore[arg-type, list-item]
    collapsed = disentanglement.udr_of_runs([CollapsedRun(0.0), CollapsedRun(0.2)], Noise())  # type: ignore[arg-type, list-item]
    np.testing.assert_array_equal(collapsed, expected)


def test_a_model_without_a_posterior_has_no_udr() -> None:
    with pytest.raises(UserError, match=r"^run fake: found a model without a posterior"):
        disentanglement.udr_of_runs([FakeRun(0.0, posterior=False)] * 2, Noise())  # type: ignore[arg-type, list-item]


@pytest.mark.slow
def test_a_study_of_objectives(tiny: Writer) -> None:
    folder = tiny(CHANGES) / "results" / "small"
    run_study(Request("tiny"))
    check_files(folder)
    assert {file.name for file in folder.iterdir()} == {
        "results.csv",
        "metrics.json",
        "table.md",
        "disentanglement.md",
        "disentanglement.png",
        "latents_s0.png",
        "latents_s1.png",
    }
    cells = pd.read_csv(folder / "results.csv")
    assert {"mig", "mig_low", "sap", "dci_trees_disentanglement", "beta_vae_score"} <= set(cells)
    lines = (folder / "disentanglement.md").read_text().splitlines()
    assert [line.split(" | ")[:2] for line in lines if line.startswith("| 5.")] == [
        ["| 5.1", "2"],
        ["| 5.10", "2"],
    ]
