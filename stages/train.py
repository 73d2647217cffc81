"""`python -m stages.train <run> …`: train runs of params.yaml and write `models/<run>/` of each.

`torchrun --nproc_per_node 2 -m stages.train <run>` shares each batch among two processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.data.neighbour_table import Neighbours, folder_of, open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.training import loop
from latent_atlas.util.console import run_command


def main() -> None:
    """Read the parameters, and train one run after the other."""
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="names under `runs` in params.yaml")
    settings = reading.load()
    for run in [settings.run(name) for name in parser.parse_args().runs]:
        _train(run)


def _train(run: Run) -> None:
    """Open the store and, where the model wants them, neighbours; train."""
    store = open_store(Path("data") / run.data)
    company = _neighbours(store, run) if MODELS[run.model].company else None
    resume = Path(".cache/training") / f"{run.name}.pt"
    # The loop reads a company's digest, which is fixed here.
    loop.train(run, store, Path("models") / run.name, resume, company)  # type: ignore[arg-type]


def _neighbours(store: Store, run: Run) -> Neighbours:
    neighbours = open_neighbours(folder_of(store.name))
    neighbours.check(store, int(run.options["tiles"]))
    return neighbours


if __name__ == "__main__":
    run_command(main)
