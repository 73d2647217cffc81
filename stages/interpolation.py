"""`python -m stages.interpolation <data set>`: walk between images through the codes of models.

Every run under ``paths.runs`` joins the same random pairs of validation images, and its own closest
and farthest ones; style loss, content, distances from the data and the cross-dissolve index are
measured on the way. First it is shown whether the style loss tells the styles of real images apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.interpolation import plots, tables
from latent_atlas.analysis.interpolation.experiments import Asked, separate, walk
from latent_atlas.analysis.interpolation.style_auc import verdict
from latent_atlas.analysis.interpolation.tables import Joined
from latent_atlas.config import reading
from latent_atlas.data.store import Store, open_store
from latent_atlas.training.checkpoint import open_runs, write_metrics
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_bytes


def main() -> None:
    """Read the parameters, open store and runs, walk, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.interpolation", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = reading.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run in settings.interpolation.runs if settings.run(run).data == store.name]
    runs = open_runs(names, store, "paths.runs")
    asked = Asked(settings.interpolation, settings.scale, settings.seed)
    measure = asked.measure()
    out = Path("plots") / f"{name}-paths"

    found = verdict(separate(asked, store, measure, out))
    joined = [one for run in runs for one in walk(asked, store, run, measure)]
    _write_tables(joined, store, settings.seed, out)
    titles = {run.run.name: run.title() for run in runs}
    plots.draw(
        joined, titles, measure.title(), settings.interpolation.examples, settings.seed, out, out
    )
    values = {f"{name}_separation": found.metrics} if found is not None else {}
    for run in runs:
        values |= tables.metrics(joined, run.run.name, settings.seed)
    write_metrics(Path("metrics") / f"{name}-paths.json", values)


def _write_tables(joined: list[Joined], store: Store, seed: int, out: Path) -> None:
    ids = store.index["id"].to_numpy()[store.rows("valid")]
    _write_csv(tables.path_table(joined, ids), out / "paths.csv")
    _write_csv(tables.step_table(joined), out / "steps.csv")
    _write_csv(tables.group_table(joined, seed), out / "groups.csv")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False, float_format="%.6g").encode())


if __name__ == "__main__":
    run_command(main)
