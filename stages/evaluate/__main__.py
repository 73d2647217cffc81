"""`python -m stages.evaluate <run>`: the numbers and pictures of a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.evaluate import figures
from stages.lib import factors, measure, params
from stages.lib.console import door
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
        factors.heat_map(trained, codes, truth, settings.bins, out / "factors.png")
    table = latents.to_csv(index=False, float_format="%.4g")
    write_bytes(out / "latents.csv", table.encode())
    rounded = {metric: float(f"{value:.5g}") for metric, value in values.items()}
    write_json(Path("metrics") / f"{name}.json", {name: rounded})


if __name__ == "__main__":
    door(main)
