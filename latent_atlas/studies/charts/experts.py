"""One model for all classes, or one a class with a router? The fashion VAE thesis left it open.

The router needs no training: every expert reconstructs the image, and the smallest error wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.files import write_bytes

Errors = npt.NDArray[np.float64]


def draw(
    whole: TrainedRun, experts: Mapping[str, TrainedRun], store: Store, title: str, folder: Path
) -> None:
    """Write ``<data>_z<latent size>_experts.csv`` and ``.png``.

    Args:
        whole: the model of all classes.
        experts: a model of one class each, by the name of the class.
        store: the images of `whole`; an expert has seen those of its class in training only if they
            are training images here too.
        title: of the study, for the figure.
        folder: for both files.
    """
    valid, numbers = store.rows("valid"), store.labels()
    valid = valid[numbers[valid] >= 0]  # of what has no label, no expert is the right one
    images = store.images[valid]
    names = [name for name in store.classes if name in experts]
    errors = np.stack([squared_errors(experts[name], images) for name in names], axis=1)
    labels = np.asarray(store.classes)[numbers[valid]]
    table = compare(squared_errors(whole, images), errors, names, labels)
    stem = f"{store.name}_z{whole.run.latent_dim}_experts"
    write_bytes(folder / f"{stem}.csv", table.to_csv(index=False, float_format="%.6g").encode())
    _confusion(table, names, whole, store, title, folder / f"{stem}.png")


def squared_errors(run: TrainedRun, images: npt.NDArray[np.uint8]) -> Errors:
    """N mean squared errors of the reconstructions of N×H×W×C images, pixels in [0, 1]."""
    found = []
    for start in range(0, len(images), run.batch_size):
        part = images[start : start + run.batch_size]
        error = (part.astype(np.float64) - run.decode(run.encode(part))) / 255
        found.append(np.square(error).mean(axis=(1, 2, 3)))
    return np.concatenate(found)


def compare(
    whole: Errors, experts: Errors, names: list[str], labels: npt.NDArray[np.str_]
) -> pd.DataFrame:
    """What routing does for each class, and for all.

    Args:
        whole: N mean squared errors of the one model.
        experts: N×K of the experts.
        names: the K classes of the experts.
        labels: N true classes, all among `names`.

    Returns:
        A row a class that has images and one ``all``: ``images``, the PSNR of the mean squared
        error in dB of ``one_model``, of the ``right_expert`` and of the expert that was ``routed``
        to, ``routing_accuracy``, and a column ``to_<class>`` with the share routed to each expert.
    """
    order = {name: number for number, name in enumerate(names)}
    right = np.asarray([order[label] for label in labels])
    chosen = experts.argmin(axis=1)
    rows = np.arange(len(labels))
    frame = pd.DataFrame(
        {
            "class": labels,
            "one_model": whole,
            "right_expert": experts[rows, right],
            "routed": experts[rows, chosen],
            "routing_accuracy": chosen == right,
        }
        | {f"to_{name}": chosen == number for number, name in enumerate(names)}
    )
    groups = [(name, frame[frame["class"] == name]) for name in names] + [("all", frame)]
    groups = [(name, part) for name, part in groups if len(part)]
    table = []
    for name, part in groups:
        means = part.drop(columns="class").mean()
        for key in ("one_model", "right_expert", "routed"):
            means[key] = -10 * np.log10(means[key])
        table.append({"class": name, "images": len(part), **means})
    return pd.DataFrame(table)


def _confusion(
    table: pd.DataFrame, names: list[str], whole: TrainedRun, store: Store, title: str, path: Path
) -> None:
    classes, every = table.iloc[:-1], table.iloc[-1]
    there = list(classes["class"])
    shares = classes[[f"to_{name}" for name in names]].to_numpy(np.float64)
    side = 2.6 + 0.55 * len(names)
    figure = Figure(figsize=(max(side, 6.2), side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = "white" if share < 0.6 else "black"
            axes.text(
                column, row, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=7
            )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(there)), there, fontsize=8)
    axes.set(xlabel="expert with the smallest error", ylabel="true class")
    axes.set_title(
        f"{title}: an expert a class, chosen by its error\n"
        f"accuracy {every['routing_accuracy']:.3f} · PSNR one model {every['one_model']:.2f}, "
        f"routed {every['routed']:.2f}, right expert {every['right_expert']:.2f} dB\n"
        f"{whole.run.title()}\n{store.name} ({store.card['source']}), "
        f"{every['images']:,.0f} validation images",
        fontsize=7,
        loc="left",
    )
    save_figure(path, figure)
