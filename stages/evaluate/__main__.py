"""`python -m stages.evaluate <run>`: the numbers and pictures of a trained run."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

from stages.evaluate import figures
from stages.lib import factors, latent_map, measure, params
from stages.lib.console import door
from stages.lib.disentanglement import QUICK
from stages.lib.files import write_bytes, write_json
from stages.lib.run import open_run
from stages.lib.store import open_store


def main() -> None:
    """Open the run and its images, measure, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("run", help="a name under `runs` in params.yaml")
    everything = params.load()
    name, settings = everything.run(parser.parse_args().run).name, everything.evaluate
    trained = open_run(Path("models") / name, settings.batch_size)
    store = open_store(Path("data") / trained.run.data)
    trained.check(store)
    values = measure.measure(trained, store, settings.active_threshold)
    latents = measure.latents(trained, store, settings.active_threshold)
    out = Path("plots") / name
    figures.draw(trained, store, latents, settings, out)
    truth = factors.factors_of(store)
    if truth is not None:
        codes = trained.encode(store.images)
        values |= factors.measure(codes, truth, settings.bins)
        matrices = factors.shares(codes, truth, settings.bins)
        if settings.examine:
            quick = replace(QUICK, bins=settings.bins)
            found = factors.examine(codes, truth, trained.run.seed, quick)
            values, matrices = values | found.metrics, found.table
        path = out / "factors.png"
        latent_map.draw(trained, store, matrices, latents, settings.traversal, settings.steps, path)
    table = latents.to_csv(index=False, float_format="%.4g")
    write_bytes(out / "latents.csv", table.encode())
    # An infinite total correlation, of latents that follow from others, is no number of JSON.
    rounded = {
        metric: float(f"{value:.5g}") for metric, value in values.items() if math.isfinite(value)
    }
    write_json(Path("metrics") / f"{name}.json", {name: rounded})


if __name__ == "__main__":
    door(main)
