"""`python -m stages.train <run> …`: train runs of params.yaml and write `models/<run>/` of each.

`torchrun --nproc_per_node 2 -m stages.train <run>` shares each batch among two processes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.data.neighbour_table import NeighbourTable, neighbours_folder, open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.options.mixing import MixingOptions
from latent_atlas.training import loop
from latent_atlas.util.console import fields_of, run_command


def main() -> None:
    """Read the parameters, and train one run after the other."""
    parser = argparse.ArgumentParser(prog="python -m stages.train", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="names under `runs` in params.yaml")
    params = reading.load()
    for run in [params.run(name) for name in parser.parse_args().runs]:
        _train(run)


def _train(run: Run) -> None:
    """Open the store, and its neighbours where the model mixes images; train."""
    store = open_store(Path("data") / run.data)
    partners = _open_partners(store, run) if MODELS[run.model].partners else None
    resume = Path(".cache/training") / f"{run.name}.pt"
    with fields_of("train"):
        loop.train(run, store, Path("models") / run.name, resume, partners)


def _open_partners(store: Store, run: Run) -> NeighbourTable:
    neighbours = open_neighbours(neighbours_folder(store.name))
    neighbours.check(store, MixingOptions.of(run.options).tiles)
    return neighbours


if __name__ == "__main__":
    run_command(main)
