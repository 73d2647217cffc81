"""Reconstruction loss and active latents over the grid of a study."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from latent_atlas.studies import results
from latent_atlas.studies.charts import losses


def test_a_study_of_one_condition_has_no_loss_curve(outcome: results.Outcome) -> None:
    one = {"5.1": {"beta": [1], "latent_dim": [2]}, "5.10": {"beta": [1], "latent_dim": [2]}}
    tables = {
        number: table.model_copy(update=one[number])
        for number, table in outcome.study.tables.items()
    }
    one_cell = dataclasses.replace(
        outcome, study=outcome.study.model_copy(update={"tables": tables})
    )
    losses.draw_reconstruction_loss(one_cell, Path("out"))
    losses.draw_active_latents(one_cell, Path("out"))
    assert {file.name for file in Path("out").iterdir()} == {"active_latents.png"}


@pytest.mark.filterwarnings("ignore:No artists")
def test_the_loss_has_a_panel_over_each_of_beta_and_latent_size(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes: list[tuple[str, float, list[float]]] = []
    monkeypatch.setattr(
        losses,
        "_plot_means",
        lambda _, rows, x, y, *__: axes.append((x, len(rows), sorted(rows[x]))),
    )
    losses.draw_reconstruction_loss(outcome, Path("out"))
    assert axes == [
        ("latent_dim", 2, [2, 3]),  # β 1
        ("latent_dim", 2, [2, 3]),  # β 4
        ("latent_dim", 1, [3]),  # β 8
        ("beta", 2, [1, 4]),  # 2 latents
        ("beta", 3, [1, 4, 8]),  # 3 latents
    ]


def test_each_point_of_active_latents_is_one_condition(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells with other training settings add no points at the same β."""
    other = outcome.results.assign(knobs="30 epochs", active_latents=1.0)
    both = dataclasses.replace(outcome, results=pd.concat([outcome.results, other]))
    plotted: list[pd.DataFrame] = []
    monkeypatch.setattr(losses, "_plot_means", lambda axes, rows, *_: plotted.append(rows))
    losses.draw_active_latents(both, Path("out"))
    points = pd.concat(plotted)
    assert not points.duplicated(["data", "beta", "latent_dim"]).any()
    assert set(points["active_latents"]) == {2.0}


def test_active_latents_are_not_drawn_if_only_other_trainings_are_finished(
    outcome: results.Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E.g. with `--only` and a table that trains the conditions of another one for longer."""
    rows = results.compare_with_published(outcome)
    first = rows.assign(active_latents=float("nan"))
    monkeypatch.setattr(losses, "compare_with_published", lambda _: pd.concat([first, rows]))
    losses.draw_active_latents(outcome, Path("out"))
    assert not Path("out").exists()
