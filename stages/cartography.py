"""`python -m stages.cartography <data set>`: analysis of the latent spaces of several runs.

The runs are those of the family ``paintings`` that were trained on the data set. Tables and plots
compare them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.latent_space import clusters, plots, prior
from latent_atlas.analysis.latent_space.summary import (
    TABLES,
    joint_table,
    partitions,
    summarise_latent_space,
)
from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.metrics import explained
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.training.checkpoint import TrainedRun, open_runs
from latent_atlas.util.console import Progress, fields_of, run_command
from latent_atlas.util.files import write_bytes


def main() -> None:
    """Read the parameters, open store and runs, analyse them, write tables, plots and metrics."""
    parser = argparse.ArgumentParser(prog="python -m stages.cartography", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    params, name = reading.load(), parser.parse_args().data
    params.data_set(name)
    settings = params.cartography
    store = open_store(Path("data") / name)
    names = [run for run, spec in params.runs.paintings.items() if spec.data == store.name]
    runs = open_runs(names, store, "runs.paintings")
    summaries = []
    with (
        fields_of("cartography"),
        Progress(f"cartography of {name}", len(runs), "runs") as progress,
    ):
        for run in runs:
            summaries.append(summarise_latent_space(run, store, settings, params.seed))
            progress.advance()
    out = Path("plots") / f"{name}-cartography"
    for table in TABLES:
        csv = joint_table(summaries, table).to_csv(index=False, float_format="%.4g")
        write_bytes(out / f"{table}.csv", csv.encode())
    plots.plot_latent_spaces(
        summaries,
        store,
        partitions(store, settings.partitions),
        settings.thumbnails,
        f"{len(store.rows('valid'))} validation images of {name} ({store.card['source']}); "
        f"{_common_parameters(runs)}",
        out,
        out,
    )
    numbers = {
        summary.run: summary.numbers | explained.explained_share(run, store)
        for summary, run in zip(summaries, runs, strict=True)
    }
    definitions = (explained.METRICS, clusters.METRICS, prior.METRICS)
    write_metrics(f"{name}-cartography", numbers, definitions)


def _common_parameters(runs: list[TrainedRun]) -> str:
    """Networks, latent sizes and epochs of the runs, for the subtitle of the plots."""
    networks = ", ".join(dict.fromkeys(run.run.network for run in runs))
    sizes = ", ".join(dict.fromkeys(str(run.run.latent_dim) for run in runs))
    epochs = ", ".join(dict.fromkeys(str(len(run.history)) for run in runs))
    return f"{networks}, latent_dim {sizes}, {epochs} epochs"


if __name__ == "__main__":
    run_command(main)
