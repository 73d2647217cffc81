"""Selection of the finished runs that a chart shows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.studies import results
from latent_atlas.studies.charts import selection


@pytest.fixture
def finished(outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch) -> results.Outcome:
    """An outcome with all cells finished, in which a path stands for the opened run."""
    monkeypatch.setattr(selection, "open_run", lambda path: path)
    models = {cell.run.name: Path(cell.run.name) for cell in outcome.cells}
    return dataclasses.replace(outcome, models=models)


def runs_of(outcome: results.Outcome) -> Any:
    return selection.runs_by_latent_size(outcome)


def test_runs_by_latent_size_have_one_condition(finished: results.Outcome) -> None:
    name = finished.cells[0].run.name
    larger = name.replace("_z2_", "_z3_")
    assert runs_of(finished) == {"circles_mono": [Path(name), Path(larger)]}
    models = {key: path for key, path in finished.models.items() if key != name}
    partial = dataclasses.replace(finished, models=models)
    assert runs_of(partial) == {"circles_mono": [Path(larger)]}


def test_the_first_run_of_each_model_is_finished(finished: results.Outcome) -> None:
    first, second, *_ = (cell.run.name for cell in finished.cells)
    assert selection.first_run_of_each_model(finished, "circles_mono") == {"beta_vae": Path(first)}
    models = {key: path for key, path in finished.models.items() if key != first}
    partial = dataclasses.replace(finished, models=models)
    assert selection.first_run_of_each_model(partial, "circles_mono") == {"beta_vae": Path(second)}
    assert selection.first_run_of_each_model(finished, "other") == {}
