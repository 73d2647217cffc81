"""`python -m stages.evaluate <run>`: the numbers and pictures of a trained run."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import pandas as pd

from latent_atlas.config import reading
from latent_atlas.config.schema import Evaluate
from latent_atlas.data.store import Store, open_store
from latent_atlas.metrics import factors, reconstruction
from latent_atlas.metrics.disentanglement import QUICK
from latent_atlas.plots import latent_map, trained_run
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_bytes, write_json


def main() -> None:
    """Open the run and its images, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    everything = reading.load()
    name, settings = everything.run(parser.parse_args().run).name, everything.evaluate
    trained = open_run(Path("models") / name, settings.batch_size)
    store = open_store(Path("data") / trained.run.data)
    trained.check(store)
    values = reconstruction.measure(trained, store, settings.active_threshold)
    latents = reconstruction.latents(trained, store, settings.active_threshold)
    # Measured before anything is drawn: a run that is refused leaves no pictures without numbers.
    known, matrices = _factors(trained, store, settings)
    values |= known
    out = Path("plots") / name
    trained_run.draw(trained, store, latents, settings, out)
    if matrices is not None:
        path = out / "factors.png"
        latent_map.draw(trained, store, matrices, latents, settings.traversal, settings.steps, path)
    table = latents.to_csv(index=False, float_format="%.4g")
    write_bytes(out / "latents.csv", table.encode())
    # An infinite total correlation, of latents that follow from others, is no number of JSON.
    rounded = {
        metric: float(f"{value:.5g}") for metric, value in values.items() if math.isfinite(value)
    }
    write_json(Path("metrics") / f"{name}.json", {name: rounded})


def _factors(
    trained: TrainedRun, store: Store, settings: Evaluate
) -> tuple[dict[str, float], pd.DataFrame | None]:
    """What the latents know of the true factors, as numbers and as a table, where there are any."""
    truth = factors.factors_of(store)
    if truth is None:
        return {}, None
    codes = trained.encode(store.images)
    values = factors.measure(codes, truth, settings.bins)
    if not settings.examine:
        return values, factors.shares(codes, truth, settings.bins)
    quick = replace(QUICK, bins=settings.bins)
    found = factors.examine(codes, truth, trained.run.seed, quick)
    return values | found.metrics, found.table


if __name__ == "__main__":
    run_command(main)
