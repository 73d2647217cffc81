"""Selection of the finished runs that a chart shows."""

from __future__ import annotations

from pathlib import Path

from latent_atlas.studies.results import Outcome
from latent_atlas.training.checkpoint import TrainedRun, open_run


def first_run_of_each_model(outcome: Outcome, data: str) -> dict[str, Path]:
    """Model → checkpoint folder of its first finished cell on a data set."""
    first: dict[str, Path] = {}
    for cell in outcome.cells:
        if cell.run.data == data and cell.run.name in outcome.models:
            first.setdefault(cell.run.model, outcome.models[cell.run.name])
    return first


def runs_by_latent_size(outcome: Outcome) -> dict[str, list[TrainedRun]]:
    """Data set → finished runs with seed 0 that differ in latent size only, the smallest first.

    Their model, β and knobs are those of the first finished cell of the data set, so that a title
    that names them is true for all of the runs.
    """
    conditions: dict[str, tuple[object, ...]] = {}
    runs: dict[str, dict[int, TrainedRun]] = {}
    for cell in outcome.cells:
        run = cell.run
        if run.name not in outcome.models or run.seed != 0:
            continue
        condition = (run.model, run.network, run.likelihood, run.beta, cell.knobs)
        if conditions.setdefault(run.data, condition) == condition:
            path = outcome.models[run.name]
            runs.setdefault(run.data, {})[run.latent_dim] = open_run(path)
    return {data: [sizes[size] for size in sorted(sizes)] for data, sizes in runs.items()}
