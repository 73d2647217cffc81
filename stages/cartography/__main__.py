"""`python -m stages.cartography <data set>`: map the latent spaces of the runs on these images.

All runs of the family ``art`` that were trained on the data set are measured side by side.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.lib import params
from stages.lib.console import Progress, door
from stages.lib.files import write_bytes
from stages.lib.latents import figures
from stages.lib.latents.survey import Survey, partitions, survey, table
from stages.lib.run import TrainedRun, open_runs, write_metrics
from stages.lib.store import open_store

TABLES = ("losses", "components", "styles", "silhouettes", "clusters", "pairs")


def main() -> None:
    """Read the parameters, open store and runs, measure, write, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.cartography", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    settings, name = params.load(), parser.parse_args().data
    settings.data_set(name)
    store = open_store(Path("data") / name)
    names = [run for run, spec in settings.runs.art.items() if spec.data == store.name]
    runs = open_runs(names, store, "runs.art")
    surveys: list[Survey] = []
    with Progress(f"map {name}", len(runs), "runs") as progress:
        for run in runs:
            surveys.append(survey(run, store, settings.cartography, settings.seed))
            progress.advance()
    out = Path("plots") / f"{name}-cartography"
    for kind in TABLES:
        csv = table(surveys, kind).to_csv(index=False, float_format="%.4g")
        write_bytes(out / f"{kind}.csv", csv.encode())
    figures.draw(
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
    door(main)
