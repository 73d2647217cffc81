"""Objectives side by side: rows by table, agreement between seeds, and a study from end to end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from latent_atlas.studies import plan, results
from latent_atlas.studies.charts import disentanglement
from latent_atlas.util.console import UserError
from stages.study import main
from tests.studies.conftest import TINY, Writer

# Two objectives of one β and latent size, so that only model and knobs tell the cells apart.
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
    "figures": ["disentanglement"],
    "examine": True,
}


def test_knobs_name_what_is_not_ordinary(tiny: Writer) -> None:
    tiny(CHANGES)
    study = plan.load("tiny")
    assert study.tables["5.1"].knobs("small") == "gamma 5, units 8, layers 1"
    assert study.tables["5.10"].knobs("small") == "gamma 6.5, units 8, layers 1, generation 0.5"
    cells = plan.cells(study, "small")
    assert [cell.knobs for cell in cells[:2]] == [
        study.tables["5.1"].knobs("small"),
        study.tables["5.10"].knobs("small"),
    ]
    assert len({cell.run.name for cell in cells}) == 4


def test_ordinary_cells_keep_their_names(tiny: Writer) -> None:
    tiny()
    study = plan.load("tiny")
    assert study.tables["5.1"].knobs("small") == ""
    assert plan.cells(study, "small")[0].run.name == "circles_mono_beta_vae_conv_bernoulli_b1_z2_s0"


def outcome(values: dict[str, dict[str, float]], stores: Any = None) -> results.Outcome:
    study = plan.load("tiny")
    cells = plan.cells(study, "small")
    tidy = results.tidy(cells, values)
    return results.Outcome(
        "tiny", "small", study, cells, stores or {}, tidy, results.read_published("tiny")
    )


def test_conditions_that_differ_in_their_knobs_are_two(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = plan.cells(plan.load("tiny"), "small")
    found = outcome({cell.run.name: {"mig": float(number)} for number, cell in enumerate(cells)})
    summary = found.summary()
    assert summary["mig"].to_list() == [1, 2]
    assert summary["seeds"].to_list() == [2, 2]
    metrics = results._metrics(found, results.beside(found))["circles_mono"]
    assert metrics == {
        f"factor_vae broadcast_small bernoulli {knobs} beta 1 latent_dim 2": {"mig": value}
        for knobs, value in zip(summary["knobs"], (1.0, 2.0), strict=True)
    }


@pytest.mark.filterwarnings("ignore:invalid value")  # of the deviation of infinite numbers
def test_what_is_infinite_is_no_metric(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = plan.cells(plan.load("tiny"), "small")
    found = outcome({cell.run.name: {"mig": 1.0, "sap": float("inf")} for cell in cells})
    metrics = results._metrics(found, results.beside(found))["circles_mono"]
    assert [set(values) for values in metrics.values()] == [{"mig"}, {"mig"}]


def test_without_examined_cells_there_is_nothing_to_compare(tiny: Writer) -> None:
    tiny(CHANGES)
    cells = plan.cells(plan.load("tiny"), "small")
    some = outcome({cells[0].run.name: {"mig": 0.5}})
    assert disentanglement.table(some, {cells[0].run.name: Path("x")}).empty
    assert disentanglement.table(outcome({}), {}).empty


def test_every_data_set_is_named_with_its_tables(tiny: Writer) -> None:
    other = {**TINY["data"]["circles_mono"], "source": "drawn:garments"}
    third = {**TINY["data"]["circles_mono"], "source": "sklearn:digits"}
    tables = {
        name: {**TINY["tables"]["5.1"], "data": data, "beta": [1], "latent_dim": [2]}
        for name, data in (("5.2", "garments"), ("5.3", "digits"))
    }
    data = {"garments": other, "digits": third}
    tiny({"data": data, "tables": tables, "figures": ["disentanglement"], "examine": True})
    study = plan.load("tiny")
    cells = plan.cells(study, "small")
    values = {cell.run.name: {"mig": 0.5, "sap": 0.5} for cell in cells}
    values[cells[-1].run.name] = {}  # digits have no true factors
    assert cells[-1].run.data == "digits"
    some = outcome(values, {name: Sized(size) for size, name in enumerate(study.data, 100)})
    rows = disentanglement.table(some, {cell.run.name: Path("x") for cell in cells})
    assert list(rows["data"]) == ["circles_mono"] * 5 + ["garments"]
    text = disentanglement.markdown(some, rows)
    assert "circles_mono (table 5.1, 5.10): 100 training images, 2 epochs; garments" in text
    assert "garments (table 5.2): 101 training images, 2 epochs. Mean ± sample" in text
    assert "digits" not in text


class Sized:
    """A store of which only the size is asked."""

    def __init__(self, size: int) -> None:
        self.size = size

    def rows(self, split: str) -> range:
        return range(self.size)


class Known:
    """A run that encodes an image as its mean and its spread, turned by an angle."""

    def __init__(self, angle: float, known: bool = True) -> None:
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.known = known
        self.run = type("Run", (), {"name": "known"})

    def encode(self, images: Any) -> Any:
        return (images.reshape(len(images), -1)[:, :2] / 255 * 2 - 1) @ self.turn * 1.7

    def log_variance(self, images: Any) -> Any:
        return np.full((len(images), 2), -4.0) if self.known else None


class Noise:
    """A store of noise."""

    images = np.random.default_rng(0).integers(0, 256, (3000, 2, 1, 1), np.uint8)


def test_agreement_is_high_for_equal_latents_and_low_for_turned_ones() -> None:
    same = disentanglement.agreement([Known(0.0), Known(np.pi / 2)], Noise())  # type: ignore[arg-type, list-item]
    turned = disentanglement.agreement([Known(0.0), Known(np.pi / 4)], Noise())  # type: ignore[arg-type, list-item]
    assert same.min() > 0.85
    assert turned.max() < 0.6


class Idle(Known):
    """The same latents, and one at the prior whose mean moves a little as the first does."""

    def encode(self, images: Any) -> Any:
        codes = super().encode(images)
        return np.concatenate([codes, 0.01 * codes[:, :1]], axis=1)

    def log_variance(self, images: Any) -> Any:
        return np.full((len(images), 3), [-4.0, -4.0, 0.0])


def test_a_collapsed_latent_does_not_count() -> None:
    used = disentanglement.agreement([Known(0.0), Known(0.2)], Noise())  # type: ignore[arg-type, list-item]
    idle = disentanglement.agreement([Idle(0.0), Idle(0.2)], Noise())  # type: ignore[arg-type, list-item]
    np.testing.assert_array_equal(used, idle)


def test_points_have_no_agreement() -> None:
    with pytest.raises(UserError, match=r"^run known: its codes are points"):
        disentanglement.agreement([Known(0.0, known=False)] * 2, Noise())  # type: ignore[arg-type, list-item]


@pytest.mark.slow
def test_a_study_of_objectives(tiny: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny(CHANGES) / "results" / "small"
    monkeypatch.setattr(sys, "argv", ["study", "tiny"])
    main()
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
