"""`python -m stages.deepcluster <data set>`: learn features and write `models/<name>-deepcluster/`.

Interrupted, it goes on from the last whole epoch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.store import open_store
from latent_atlas.models.cluster_net import Shape
from latent_atlas.plots import deepcluster
from latent_atlas.training.deepcluster import Plan, learn
from latent_atlas.training.loop import make_fabric
from latent_atlas.util.console import run_command


def main() -> None:
    """Read the parameters, open the store, learn, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.deepcluster", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    everything = reading.load()
    name = parser.parse_args().data
    everything.data_set(name)
    store = open_store(Path("data") / name)
    spec = everything.deepcluster
    plan = Plan(
        shape=Shape(spec.network, spec.width, spec.features, spec.sobel),
        quadrants=spec.quadrants,
        clusters=everything.number(spec.clusters),
        components=spec.components,
        iterations=spec.iterations,
        epochs=everything.number(spec.epochs),
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
        seed=everything.seed,
    )
    title = f"{name}-deepcluster"
    resume = Path(".cache/training") / f"{title}.pt"
    learnt = learn(plan, store, make_fabric(everything.train), Path("models") / title, resume)
    deepcluster.draw(learnt, plan, store, Path("plots") / title)


if __name__ == "__main__":
    run_command(main)
