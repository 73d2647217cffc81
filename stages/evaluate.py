"""`python -m stages.evaluate <run>`: the metrics and pictures of a trained run.

What needs true factors is imported only for images that have them, since scikit-learn takes a
second.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from latent_atlas.config import reading
from latent_atlas.config.schema import Evaluate
from latent_atlas.data.store import Store, open_store
from latent_atlas.metrics import explained, factors, reconstruction
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.plots.trained_run import plot_trained_run
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_bytes

if TYPE_CHECKING:
    from latent_atlas.metrics.disentanglement import Summary


def main() -> None:
    """Open the run and its images, compute the metrics, then draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    params = reading.load()
    name, settings = params.run(parser.parse_args().run).name, params.evaluate
    trained = open_run(Path("models") / name, settings.batch_size)
    store = open_store(Path("data") / trained.run.data)
    trained.check(store)
    metrics = reconstruction.evaluate_reconstruction(trained, store, settings.active_threshold)
    metrics |= explained.explained_share(trained, store)
    definitions = reconstruction.METRICS | explained.METRICS
    latents = reconstruction.latent_activity(trained, store, settings.active_threshold)
    # Before any picture: a run that is refused leaves no pictures without metrics.
    summary = _disentanglement(trained, store, settings)
    out = Path("plots") / name
    plot_trained_run(trained, store, latents, settings, out)
    if summary is not None:
        from latent_atlas.metrics.disentanglement import DEFINITIONS
        from latent_atlas.plots.latent_map import plot_latent_map

        metrics |= summary.metrics
        definitions |= DEFINITIONS
        limit, steps, path = settings.traversal, settings.steps, out / "factors.png"
        plot_latent_map(trained, store, summary.table, latents, limit, steps, path)
    table = latents.to_csv(index=False, float_format="%.4g")
    write_bytes(out / "latents.csv", table.encode())
    write_metrics(name, {name: metrics}, [definitions], digits=5)


def _disentanglement(trained: TrainedRun, store: Store, settings: Evaluate) -> Summary | None:
    """The disentanglement metrics, if the images have true factors."""
    truth = factors.factors_of(store)
    if truth is None:
        return None
    from latent_atlas.metrics.disentanglement import QUICK

    return factors.evaluate_disentanglement(
        trained.encode(store.images),
        truth,
        replace(QUICK, bins=settings.bins),
        trained.run.seed,
        complete=settings.examine,
    )


if __name__ == "__main__":
    run_command(main)
