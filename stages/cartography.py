"""`python -m stages.cartography <data set>`: map the latent spaces of the runs on these images.

All runs of the family ``paintings`` that were trained on the data set are measured side by side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.latent_space import plots
from latent_atlas.analysis.latent_space.summary import Survey, partitions, survey, table
from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.training.checkpoint import TrainedRun, open_runs, write_metrics
from latent_atlas.util.console import Progress, run_command
from latent_atlas.util.files import write_bytes

TABLES = ("losses", "components", "styles", "silhouettes", "clusters", "pairs")


def main() -> None:
    """Read the parameters, open store and runs, measure, write, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.cartography", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = reading.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run, spec in settings.runs.paintings.items() if spec.data == store.name]
    runs = open_runs(names, store, "runs.paintings")
    surveys: list[Survey] = []
    with Progress(f"map {name}", len(runs), "runs") as progress:
        for run in runs:
            surveys.append(survey(run, store, settings.cartography, settings.seed))
            progress.advance()
    out = Path("plots") / f"{name}-cartography"
    for kind in TABLES:
        csv = table(surveys, kind).to_csv(index=False, float_format="%.4g")
        write_bytes(out / f"{kind}.csv", csv.encode())
    plots.draw(
        surveys,
        store,
        partitions(store, settings.cartography.partitions),
        settings.cartography.thumbnails,
        f"{len(store.rows('valid'))} validation images of {name} ({store.card['source']}); "
        f"{_common(runs)}",
        out,
        out,
    )
    numbers = {one.run: one.numbers for one in surveys}
    write_metrics(Path("metrics") / f"{name}-cartography.json", numbers)


def _common(runs: list[TrainedRun]) -> str:
    """What the runs share, in words."""
    networks = ", ".join(dict.fromkeys(run.run.network for run in runs))
    sizes = ", ".join(dict.fromkeys(str(run.run.latent_dim) for run in runs))
    epochs = ", ".join(dict.fromkeys(str(len(run.history)) for run in runs))
    return f"{networks}, latent_dim {sizes}, {epochs} epochs"


if __name__ == "__main__":
    run_command(main)
