"""`python -m stages.interpolation <data set>`: interpolation between images in latent spaces.

Every run under ``interpolation.runs`` interpolates between the same random pairs of validation
images, and between its own closest and farthest pairs. Measures of the curves are style loss,
content distance, distances to the data and the cross-dissolve index. The style loss itself is
validated first, on real images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.interpolation import plots, style_auc, tables
from latent_atlas.analysis.interpolation.experiments import (
    interpolate_pairs,
    load_style_measure,
    write_style_auc,
)
from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.training.checkpoint import open_runs
from latent_atlas.util.console import fields_of, run_command
from latent_atlas.util.files import write_bytes


def main() -> None:
    """Read the parameters, open store and runs, interpolate, write tables, plots and metrics."""
    parser = argparse.ArgumentParser(prog="python -m stages.interpolation", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    params, name = reading.load(), parser.parse_args().data
    params.data_set(name)
    settings, seed = params.interpolation, params.seed
    store = open_store(Path("data") / name)
    names = [run for run in settings.runs if params.run(run).data == store.name]
    runs = open_runs(names, store, "interpolation.runs")
    out = Path("plots") / f"{name}-interpolation"
    with fields_of("interpolation"):
        style_measure = load_style_measure(settings, seed)
        aucs = write_style_auc(settings, seed, store, style_measure, out)
        parts = [
            part
            for run in runs
            for part in interpolate_pairs(settings, seed, store, run, style_measure)
        ]
    ids = store.index["id"].to_numpy()[store.rows("valid")]
    _write_csv(tables.curve_table(parts, ids), out / "curves.csv")
    _write_csv(tables.step_table(parts), out / "steps.csv")
    _write_csv(tables.group_table(parts, seed), out / "groups.csv")
    titles = {run.run.name: run.title() for run in runs}
    plots.plot_interpolations(
        parts, titles, style_measure.title(), settings.examples, seed, out, out
    )
    validation = style_auc.validate_style_loss(aucs)
    values = {f"{name}_style_auc": validation.metrics} if validation is not None else {}
    for run in runs:
        values |= tables.interpolation_metrics(parts, run.run.name, seed)
    write_metrics(f"{name}-interpolation", values, (style_auc.METRICS, tables.METRICS))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False, float_format="%.6g").encode())


if __name__ == "__main__":
    run_command(main)
