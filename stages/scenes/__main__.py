"""`python -m stages.scenes <data set>`: measure and draw the mixes of all runs on these scenes.

Each run of the family ``scenes`` renders the same mixes, beside quadrants that are merely pasted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from stages.lib import measure, params
from stages.lib.console import Progress, door
from stages.lib.mixes import Mixes, of_neighbours, of_strangers, open_mixable, paste, render
from stages.lib.neighbours import folder_of, open_neighbours
from stages.lib.params import Params
from stages.lib.run import TrainedRun, open_runs, write_metrics
from stages.lib.store import Store, open_store
from stages.scenes.bench import Bench
from stages.scenes.figures import draw_sheet

KINDS = {"near": "donors are neighbours", "any": "donors are any images"}


def main() -> None:
    """Read the parameters, open store, neighbours and runs, mix, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.scenes", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = params.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run, spec in settings.runs.scenes.items() if spec.data == store.name]
    runs = open_runs(names, store, "runs.scenes", open_mixable)
    count = settings.number(settings.scenes.mixes)
    judged = settings.number(settings.scenes.judged)
    bench = Bench(store, settings.scenes, count, judged, settings.seed)
    values = {run.run.name: measure.quality(run, store) for run in runs}
    for kind in KINDS:
        for row, found in _one_kind(kind, settings, store, runs, bench).items():
            values.setdefault(row, {}).update({f"{kind}_{key}": x for key, x in found.items()})
    if bench.judge is not None:
        values[f"{name}_judge"] = {"accuracy": bench.judge.accuracy}
    write_metrics(Path("metrics") / f"{name}-scenes.json", values)


def _one_kind(
    kind: str, settings: Params, store: Store, runs: list[TrainedRun], bench: Bench
) -> dict[str, dict[str, float]]:
    """Measure each run's renderings of one kind of mixes, and what is pasted; draw the sheet."""
    mixes = _mixes(kind, settings, store)
    truth = bench.truth(mixes)
    pictures = {f"{store.name}_pasted": paste(store.images, mixes)}
    pictures |= {run.run.name: render(run, store.images, mixes) for run in runs}
    if truth is not None:
        pictures[f"{store.name}_true"] = truth.pictures
    values = {}
    with Progress(f"{kind} mixes of {store.name}", len(pictures), "measured") as progress:
        for row, picture in pictures.items():
            values[row] = bench.measure(mixes, truth, picture)
            progress.advance()
    titles = "; ".join(run.run.title() for run in runs)
    source = f"data {store.name} ({store.card['source']})"
    draw_sheet(
        store.images,
        mixes,
        {label.removeprefix(f"{store.name}_"): picture for label, picture in pictures.items()},
        settings.scenes.examples,
        f"Mixed scenes, validation images; {KINDS[kind]} · {titles} · {source}",
        Path("plots") / f"{store.name}-scenes" / f"{kind}.png",
    )
    return values


def _mixes(kind: str, settings: Params, store: Store) -> Mixes:
    """Mixes of validation images, the same for every run."""
    random = np.random.default_rng([settings.seed, list(KINDS).index(kind)])
    rows = random.permutation(store.rows("valid"))[: settings.number(settings.scenes.mixes)]
    if kind == "any":
        return of_strangers(rows, random)
    neighbours = open_neighbours(folder_of(store.name))
    neighbours.check(store)
    return of_neighbours(rows, neighbours, settings.scenes.tau, random)


if __name__ == "__main__":
    door(main)
