"""`python -m stages.mixing <data set>`: measure and draw the mixes of all runs on these scenes.

Each run of the family ``scenes`` renders the same mixes, beside quadrants that are merely pasted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.scene_mixing.evaluator import KINDS, Asked, Bench
from latent_atlas.analysis.scene_mixing.mixes import open_mixable
from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import folder_of, open_neighbours
from latent_atlas.data.store import open_store
from latent_atlas.metrics import reconstruction
from latent_atlas.training.checkpoint import TrainedRun, open_runs, write_metrics
from latent_atlas.util.console import Progress, run_command


def main() -> None:
    """Read the parameters, open store, neighbours and runs, mix, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.mixing", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = reading.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run, spec in settings.runs.scenes.items() if spec.data == store.name]
    runs = open_runs(names, store, "runs.scenes", open_mixable)
    asked = Asked(settings.mixing, settings.scale, settings.seed)
    bench = Bench(store, asked, open_neighbours(folder_of(store.name)))
    values = {
        run.run.name: reconstruction.quality(run, store) | bench.codes_of(run) for run in runs
    }
    for kind in KINDS:
        for row, found in _one_kind(kind, name, runs, bench).items():
            values.setdefault(row, {}).update(found)
    if bench.judge is not None:
        values[f"{name}_judge"] = {"accuracy": bench.judge.accuracy}
    write_metrics(Path("metrics") / f"{name}-scenes.json", values)


def _one_kind(
    kind: str, name: str, runs: list[TrainedRun], bench: Bench
) -> dict[str, dict[str, float]]:
    """Measure each run's renderings of one kind of mixes, and what is pasted; draw the sheet."""
    rendered = {run.run.name: bench.render(kind, run) for run in runs}
    pictures = {f"{name}_pasted": bench.paste(kind), **rendered}
    if (truth := bench.truth[kind]) is not None:
        pictures[f"{name}_true"] = truth.pictures
    values = {}
    with Progress(f"{kind} mixes of {name}", len(pictures), "measured") as progress:
        for row, picture in pictures.items():
            values[row] = bench.measure(kind, picture)
            progress.advance()
    titles = "; ".join(run.run.title() for run in runs)
    bench.draw(kind, rendered, titles, Path("plots") / f"{name}-scenes" / f"{kind}.png")
    return values


if __name__ == "__main__":
    run_command(main)
