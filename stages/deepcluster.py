"""`python -m stages.deepcluster <data set>`: learn features and write `models/<name>-deepcluster/`.

An interrupted training resumes after its last whole epoch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.plots.deepcluster import plot_deepcluster
from latent_atlas.training.deepcluster import train_deepcluster
from latent_atlas.training.fabric import make_fabric
from latent_atlas.util.console import fields_of, run_command


def main() -> None:
    """Read the parameters, open the store, train, plot."""
    parser = argparse.ArgumentParser(prog="python -m stages.deepcluster", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    params = reading.load()
    name = parser.parse_args().data
    params.data_set(name)
    store = open_store(Path("data") / name)
    settings, seed = params.deepcluster, params.seed
    with fields_of("train"):
        fabric = make_fabric(params.train)
    title = f"{name}-deepcluster"
    resume = Path(".cache/training") / f"{title}.pt"
    with fields_of("deepcluster"):
        result = train_deepcluster(settings, seed, store, fabric, Path("models") / title, resume)
    plot_deepcluster(result, settings, seed, store, Path("plots") / title)


if __name__ == "__main__":
    run_command(main)
