"""At which latent size is each class still recognised? The MNIST VAE project left it open.

A classifier learns the classes from real training images, and then names the reconstructions of
validation images. It knows nothing of blur, so it fails where a reconstruction has lost its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from sklearn.neural_network import MLPClassifier

from latent_atlas.data.store import Images, Store
from latent_atlas.plots.grid import save_figure
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_bytes

ENOUGH = 0.95
"""A class is recognised if this share of what is recognised of the originals still is."""


def draw(runs: Sequence[TrainedRun], store: Store, title: str, folder: Path) -> None:
    """Write ``<data>_recognition.csv`` and ``.png``: a curve a class over the latent size.

    Args:
        runs: models of `store` that differ in their latent size, the smallest first.
        store: images with classes; without any, nothing is drawn.
        title: of the study, for the figure.
        folder: for both files.
    """
    if len(store.classes) < 2:
        return
    table = recognised(runs, store)
    write_bytes(
        folder / f"{store.name}_recognition.csv",
        table.to_csv(index=False, float_format="%.6g").encode(),
    )
    _curves(table, store, runs[0], title, folder / f"{store.name}_recognition.png")


def recognised(runs: Sequence[TrainedRun], store: Store) -> pd.DataFrame:
    """How much of each class the classifier names right.

    Returns:
        A row a latent size and class: ``latent_dim``, ``class``, ``images`` (validation images of
        the class), ``originals`` and ``reconstructions`` (shares named right, 0 to 1).
    """
    labels, valid = store.labels(), store.rows("valid")
    valid = valid[labels[valid] >= 0]
    classifier = _classifier(store, runs[0].run.seed)
    images, truth = store.images[valid], labels[valid]
    of_originals = _shares(classifier, images, truth)
    parts = []
    for run in runs:
        shares = _shares(classifier, run.decode(run.encode(images)), truth)
        part = of_originals.rename(columns={"share": "originals"})
        part.insert(0, "latent_dim", run.run.latent_dim)
        part["reconstructions"] = shares["share"]
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table["class"] = [store.classes[number] for number in table["class"]]
    return table


def smallest(table: pd.DataFrame) -> dict[str, int | None]:
    """For each class, the smallest latent size from which on it is recognised; None if none is."""
    found: dict[str, int | None] = {}
    for name, rows in table.groupby("class", sort=False):
        rows = rows.sort_values("latent_dim", ascending=False)
        enough = (rows["reconstructions"] >= ENOUGH * rows["originals"]).to_numpy()
        count = int(np.argmin(enough)) if not enough.all() else len(enough)
        found[str(name)] = int(rows["latent_dim"].iloc[count - 1]) if count else None
    return found


def _classifier(store: Store, seed: int) -> MLPClassifier:
    """A network of one hidden layer that knows the training images.

    Raises:
        UserError: if there are too few of them to hold some out, as its training does.
    """
    labels, train = store.labels(), store.rows("train")
    train = train[labels[train] >= 0]
    classifier = MLPClassifier((256,), max_iter=40, early_stopping=True, random_state=seed)
    try:
        classifier.fit(_pixels(store.images[train]), labels[train])
    except ValueError as error:
        raise UserError(
            f"recognition of {store.name}: {len(train)} training images of "
            f"{len(np.unique(labels[train]))} classes are too few for a classifier ({error})"
        ) from None
    return classifier


def _shares(
    classifier: MLPClassifier, images: Images, truth: npt.NDArray[np.int64]
) -> pd.DataFrame:
    right = pd.DataFrame({"class": truth, "right": classifier.predict(_pixels(images)) == truth})
    groups = right.groupby("class")["right"]
    return pd.DataFrame({"images": groups.size(), "share": groups.mean()}).reset_index()


def _pixels(images: Images) -> npt.NDArray[np.float32]:
    return images.reshape(len(images), -1) / np.float32(255)


def _curves(table: pd.DataFrame, store: Store, first: TrainedRun, title: str, path: Path) -> None:
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.add_subplot()
    sizes = sorted(table["latent_dim"].unique())
    for number, (name, size) in enumerate(smallest(table).items()):
        rows = table[table["class"] == name]
        style: dict[str, Any] = {"color": f"C{number % 10}", "linestyle": "-:"[number // 10 % 2]}
        label = f"{name}: from {size}" if size else f"{name}: never"
        axes.plot(rows["latent_dim"], rows["reconstructions"], marker=".", label=label, **style)
    of_originals = np.average(table["originals"], weights=table["images"])
    axes.axhline(of_originals, color="0.4", linestyle="--", label=f"originals: {of_originals:.3f}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, labels=[f"{size}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="latent size", ylabel="share of reconstructions named right", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, title="class: recognised", title_fontsize=8)
    axes.set_title(
        f"{title}: recognised as its class by a classifier of real images\n"
        f"{first.run.model} ({first.run.network}, {first.run.likelihood}), β {first.run.beta:g}, "
        f"seed {first.run.seed} · {store.name} ({store.card['source']})",
        fontsize=8,
        loc="left",
    )
    save_figure(path, figure)
