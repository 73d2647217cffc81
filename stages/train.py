"""`python -m stages.train <run> …`: train runs of params.yaml and write `models/<run>/` of each.

`torchrun --nproc_per_node 2 -m stages.train <run>` shares each batch among two processes.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import BaseRun, Run
from latent_atlas.config.translation import SAMPLES, TranslationRun
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
    for run in [params.training(name) for name in parser.parse_args().runs]:
        _train(run)


def _train(run: BaseRun) -> None:
    """Open the store, and what the samples of the run need beside it; train."""
    store = open_store(Path("data") / run.data)
    out, resume = Path("models") / run.name, Path(".cache/training") / f"{run.name}.pt"
    with fields_of("train"):
        if isinstance(run, TranslationRun):
            _train_translation(run, store, out, resume)
        else:
            loop.train(run, store, out, resume, _open_partners(store, run))


def _train_translation(run: TranslationRun, store: Store, out: Path, resume: Path) -> None:
    """Make the samples of the run and its untrained model; train.

    Their module is among those of the run, and imported by name like a model, so that a change of
    it puts no other training out of date.
    """
    module = import_module(SAMPLES)
    samples = module.samples_of(run, store, open_store)
    model = module.build_translator(run, store.shape, samples.sizes, samples.reverse)
    loop.train(run, store, out, resume, samples.partners, model, samples.selection)


def _open_partners(store: Store, run: BaseRun) -> NeighbourTable | None:
    """The neighbours of the images, where the model mixes images."""
    if not isinstance(run, Run) or not MODELS[run.model].partners:
        return None
    neighbours = open_neighbours(neighbours_folder(store.name))
    neighbours.check(store, MixingOptions.of(run.options).tiles)
    return neighbours


if __name__ == "__main__":
    run_command(main)
