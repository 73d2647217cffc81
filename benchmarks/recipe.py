"""`python -m benchmarks.recipe`: what each part of the recipe ``modern`` is worth.

Trains runs of params.yaml with the recipe, and with one part of it taken away at a time, for some
seeds each, and writes the validation loss and the explained share as a table. The data sets must be
in `data/` (`dvc repro`). One thread trains 38,000 images of 96×64 pixels in about 80 s.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from latent_atlas.config import reading
from latent_atlas.config.runs import Run
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.likelihoods import LIKELIHOODS
from latent_atlas.models.recipes import RECIPES, Recipe
from latent_atlas.training import loop

RUNS = ("circles_rgb_beta_vae", "circles_beta_vae", "clothes_beta_vae")


class Variant(NamedTuple):
    """A recipe, and values of the run that belong to it.

    Attributes:
        recipe: trained with under the name ``modern``.
        run: fields of the run that differ.
        train: keys of its ``train`` that differ.
    """

    recipe: Recipe
    run: Mapping[str, Any] = {}
    train: Mapping[str, Any] = {}


def variants() -> dict[str, Variant]:
    """Name → variant: the whole recipe, one without each part, and the published one."""
    modern = RECIPES["modern"]

    def layers(**parts: Any) -> Variant:
        return Variant(replace(modern, layers=replace(modern.layers, **parts)))

    return {
        "modern": Variant(modern),
        "− He initialisation": layers(he=False),
        "− group normalisation": layers(normalised=False),
        "− SiLU": layers(smooth=False),
        "− decorrelated inputs": layers(decorrelated=False),
        "− 16 maps": layers(maps=0),
        "− rising and falling rate": Variant(replace(modern, warm_up=0.0, decay=0.0)),
        "− smaller β₂": Variant(replace(modern, beta2=0.999)),
        "− KL warm-up": Variant(replace(modern, kl_warm_up=0.0)),
        "− mean-image start": Variant(modern, run={"mean_start": False}),
        "batches of 32": Variant(modern, train={"batch_size": 32}),
        "published": Variant(
            RECIPES["published"], train={"batch_size": 50, "learning_rate": 0.001}
        ),
    }


@contextmanager
def as_modern(recipe: Recipe) -> Iterator[None]:
    """Let ``modern`` be `recipe`."""
    own = RECIPES["modern"]
    RECIPES["modern"] = recipe
    try:
        yield
    finally:
        RECIPES["modern"] = own


def bounds(store: Store, likelihood: str) -> tuple[float, float]:
    """Validation loss of the training mean image, and the floor, in nats per image.

    The floor is the entropy of the pixels for the Bernoulli likelihood, and 0 for others.
    """
    images = to_images(torch.from_numpy(np.array(store.images[store.rows("valid")])))
    kind = LIKELIHOODS[likelihood]
    mean = loop.mean_image(store, store.rows("train"))
    of_mean = kind.loss(kind.inverse(mean).expand_as(images), images).mean()
    entropy = torch.special.entr(images) + torch.special.entr(1 - images)
    floor = float(entropy.flatten(1).sum(1).mean()) if likelihood == "bernoulli" else 0.0
    return float(of_mean), floor


def train_variant(run: Run, variant: Variant, store: Store, folder: Path) -> float:
    """Validation reconstruction of the last epoch, in nats per image."""
    changed = {**variant.run, "train": run.train.model_copy(update=variant.train)}
    with as_modern(variant.recipe):
        loop.train(run.model_copy(update=changed), store, folder / "out", folder / "resume.pt")
    return float(pd.read_csv(folder / "out" / "history.csv")["valid_reconstruction"].iloc[-1])


def measure(runs: list[Run], names: list[str], seeds: int, out: Path) -> pd.DataFrame:
    """A row for each training; `out` is written after every one, so that none is lost."""
    rows: list[dict[str, Any]] = []
    for seed, run, name in ((s, r, n) for s in range(seeds) for r in runs for n in names):
        store = open_store(Path("data") / run.data)
        mean, floor = bounds(store, run.likelihood)
        seeded = run.model_copy(update={"seed": seed, "recipe": "modern"})
        with TemporaryDirectory() as folder:
            loss = train_variant(seeded, variants()[name], store, Path(folder))
        explained = (mean - loss) / (mean - floor)
        row = {"run": run.name, "recipe": name, "seed": seed}
        rows.append(row | {"reconstruction": loss, "explained": explained})
        pd.DataFrame(rows).to_csv(out, index=False, float_format="%.5g")
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the seeds, for each run and recipe."""
    groups = rows.drop(columns="seed").groupby(["run", "recipe"], sort=False)
    table = groups.agg(["mean", "std"])
    table.columns = [" ".join(column) for column in table.columns]
    return table.assign(seeds=groups.size()).reset_index()


def main() -> None:
    """Train, print the summary, and write the trainings to a CSV."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe", description=__doc__)
    parser.add_argument("--runs", nargs="+", default=list(RUNS))
    parser.add_argument("--recipes", nargs="+", default=list(variants()), choices=list(variants()))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("recipe.csv"))
    arguments = parser.parse_args()
    params = reading.load().model_copy(update={"recipe": "modern"})
    runs = [params.run(name) for name in arguments.runs]
    rows = measure(runs, arguments.recipes, arguments.seeds, arguments.out)
    print(summary(rows).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
