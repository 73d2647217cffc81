"""`python -m stages.paths <data set>`: walk between images through the codes of models.

Every run under ``paths.runs`` joins the same random pairs of validation images, and its own closest
and farthest ones; style loss, content, distances from the data and the cross-dissolve index are
measured on the way. First it is shown whether the style loss tells the styles of real images apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from stages.lib import params
from stages.lib.console import door
from stages.lib.files import write_bytes
from stages.lib.run import open_runs, write_metrics
from stages.lib.store import Store, open_store
from stages.lib.walks import figures, summary
from stages.lib.walks.experiments import Asked, separate, walk
from stages.lib.walks.separation import verdict
from stages.lib.walks.summary import Joined


def main() -> None:
    """Read the parameters, open store and runs, walk, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.paths", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = params.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run in settings.paths.runs if settings.run(run).data == store.name]
    runs = open_runs(names, store, "paths.runs")
    asked = Asked(settings.paths, settings.scale, settings.seed)
    measure = asked.measure()
    out = Path("plots") / f"{name}-paths"

    found = verdict(separate(asked, store, measure, out))
    joined = [one for run in runs for one in walk(asked, store, run, measure)]
    _write_tables(joined, store, settings.seed, out)
    titles = {run.run.name: run.title() for run in runs}
    figures.draw(joined, titles, measure.title(), settings.paths.examples, settings.seed, out, out)
    values = {f"{name}_separation": found.metrics} if found is not None else {}
    for run in runs:
        values |= summary.metrics(joined, run.run.name, settings.seed)
    write_metrics(Path("metrics") / f"{name}-paths.json", values)


def _write_tables(joined: list[Joined], store: Store, seed: int, out: Path) -> None:
    ids = store.index["id"].to_numpy()[store.rows("valid")]
    _write_csv(summary.path_table(joined, ids), out / "paths.csv")
    _write_csv(summary.step_table(joined), out / "steps.csv")
    _write_csv(summary.group_table(joined, seed), out / "groups.csv")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_bytes(path, table.to_csv(index=False, float_format="%.6g").encode())


if __name__ == "__main__":
    door(main)
