"""Smallest latent size at which reconstructions of each class are recognised.

An open question of the MNIST VAE project. A classifier is trained on real training images and
classifies the reconstructions of validation images. It has never seen blurred images, so it fails
where a reconstruction has lost its class.
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
from latent_atlas.studies.charts.selection import runs_by_latent_size
from latent_atlas.studies.results import Outcome
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_bytes

ENOUGH = 0.95
"""A class counts as recognised if its accuracy is at least this share of that of the originals."""


def draw_recognition(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_recognition.csv`` and ``.png``, a curve per class over the latent size.

    Images of fewer than two classes have neither.
    """
    for data, runs in runs_by_latent_size(outcome).items():
        store = outcome.stores[data]
        if len(store.classes) < 2:
            continue
        table = recognition_table(runs, store)
        csv = table.to_csv(index=False, float_format="%.6g")
        write_bytes(folder / f"{data}_recognition.csv", csv.encode())
        path = folder / f"{data}_recognition.png"
        _plot_curves(table, store, runs[0], outcome.study.title, path)


def recognition_table(runs: Sequence[TrainedRun], store: Store) -> pd.DataFrame:
    """Accuracy of the classifier for each class, on originals and on reconstructions.

    Args:
        runs: models of `store` that differ in latent size only, the smallest first.
        store: images with classes.

    Returns:
        A row per latent size and class: ``latent_dim``, ``class``, ``images`` (validation images
        of the class), ``originals`` and ``reconstructions`` (accuracies, 0 to 1).
    """
    labels, valid = store.labels(), store.rows("valid")
    valid = valid[labels[valid] >= 0]
    classifier = _classifier(store, runs[0].run.seed)
    images, truth = store.images[valid], labels[valid]
    originals = _accuracies(classifier, images, truth)
    parts = []
    for run in runs:
        reconstructions = _accuracies(classifier, run.decode(run.encode(images)), truth)
        part = originals.rename(columns={"accuracy": "originals"})
        part.insert(0, "latent_dim", run.run.latent_dim)
        part["reconstructions"] = reconstructions["accuracy"]
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    table["class"] = [store.classes[number] for number in table["class"]]
    return table


def smallest_sizes(table: pd.DataFrame) -> dict[str, int | None]:
    """Class → smallest latent size from which on it is always recognised; None if there is none."""
    sizes: dict[str, int | None] = {}
    for name, rows in table.groupby("class", sort=False):
        rows = rows.sort_values("latent_dim", ascending=False)
        enough = (rows["reconstructions"] >= ENOUGH * rows["originals"]).to_numpy()
        count = int(np.argmin(enough)) if not enough.all() else len(enough)
        sizes[str(name)] = int(rows["latent_dim"].iloc[count - 1]) if count else None
    return sizes


def _classifier(store: Store, seed: int) -> MLPClassifier:
    """A network with one hidden layer, trained on the training images.

    Raises:
        UserError: if there are too few images; some are held out for early stopping.
    """
    labels, train = store.labels(), store.rows("train")
    train = train[labels[train] >= 0]
    classifier = MLPClassifier((256,), max_iter=40, early_stopping=True, random_state=seed)
    try:
        classifier.fit(_pixels(store.images[train]), labels[train])
    except ValueError as error:
        raise UserError(
            f"recognition of {store.name}: {len(train)} training images of "
            f"{len(np.unique(labels[train]))} classes are too few for a classifier ({error}); "
            "add images"
        ) from None
    return classifier


def _accuracies(
    classifier: MLPClassifier, images: Images, truth: npt.NDArray[np.int64]
) -> pd.DataFrame:
    correct = classifier.predict(_pixels(images)) == truth
    groups = pd.DataFrame({"class": truth, "correct": correct}).groupby("class")["correct"]
    return pd.DataFrame({"images": groups.size(), "accuracy": groups.mean()}).reset_index()


def _pixels(images: Images) -> npt.NDArray[np.float32]:
    return images.reshape(len(images), -1) / np.float32(255)


def _plot_curves(
    table: pd.DataFrame, store: Store, first: TrainedRun, title: str, path: Path
) -> None:
    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.add_subplot()
    sizes = sorted(table["latent_dim"].unique())
    for number, (name, size) in enumerate(smallest_sizes(table).items()):
        rows = table[table["class"] == name]
        style: dict[str, Any] = {"color": f"C{number % 10}", "linestyle": "-:"[number // 10 % 2]}
        label = f"{name}: from {size}" if size else f"{name}: never"
        axes.plot(rows["latent_dim"], rows["reconstructions"], marker=".", label=label, **style)
    originals = np.average(table["originals"], weights=table["images"])
    axes.axhline(originals, color="0.4", linestyle="--", label=f"originals: {originals:.3f}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, labels=[f"{size}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="latent size", ylabel="accuracy on reconstructions", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8, title="class: recognised", title_fontsize=8)
    axes.set_title(
        f"{title}: reconstructions classified by a classifier of real images\n"
        f"{first.run.model} ({first.run.network}, {first.run.likelihood}), β {first.run.beta:g}, "
        f"seed {first.run.seed} · {store.name} ({store.card['source']})",
        fontsize=8,
        loc="left",
    )
    save_figure(path, figure)
