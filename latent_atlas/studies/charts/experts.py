"""One model for all classes against one model per class with a router.

An open question of the fashion VAE thesis. The router is not trained: every expert reconstructs the
image, and the one with the smallest error is chosen.
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
from latent_atlas.studies.charts.selection import runs_by_latent_size
from latent_atlas.studies.results import Outcome
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.files import write_bytes

Errors = npt.NDArray[np.float64]


def draw_experts(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_z<latent size>_experts.csv`` and ``.png``.

    For each data set of several classes, and each latent size at which there are a model of all
    classes and an expert for each of them.
    """
    runs_of = runs_by_latent_size(outcome)
    experts: dict[int, dict[str, TrainedRun]] = {}
    for data, runs in runs_of.items():
        classes = outcome.stores[data].classes
        for run in runs if len(classes) == 1 else []:
            experts.setdefault(run.run.latent_dim, {})[classes[0]] = run
    for data, runs in runs_of.items():
        store = outcome.stores[data]
        for run in runs if len(store.classes) > 1 else []:
            of_size = experts.get(run.run.latent_dim, {})
            if set(store.classes) <= set(of_size):
                compare_experts(run, of_size, store, outcome.study.title, folder)


def compare_experts(
    whole: TrainedRun, experts: Mapping[str, TrainedRun], store: Store, title: str, folder: Path
) -> None:
    """Write the table and the confusion matrix of one latent size.

    Args:
        whole: the model of all classes.
        experts: class → model of that class.
        store: the images of `whole`. An expert was trained on the images of its class that are
            training images here.
        title: of the study.
        folder: for both files.
    """
    valid, numbers = store.rows("valid"), store.labels()
    valid = valid[numbers[valid] >= 0]  # an image without a label has no right expert
    images = store.images[valid]
    names = [name for name in store.classes if name in experts]
    errors = np.stack([squared_errors(experts[name], images) for name in names], axis=1)
    labels = np.asarray(store.classes)[numbers[valid]]
    table = routing_table(squared_errors(whole, images), errors, names, labels)
    stem = f"{store.name}_z{whole.run.latent_dim}_experts"
    write_bytes(folder / f"{stem}.csv", table.to_csv(index=False, float_format="%.6g").encode())
    _plot_confusion(table, names, whole, store, title, folder / f"{stem}.png")


def squared_errors(run: TrainedRun, images: npt.NDArray[np.uint8]) -> Errors:
    """N mean squared errors of the reconstructions of N×H×W×C images, pixels in [0, 1]."""
    errors = []
    for start in range(0, len(images), run.batch_size):
        part = images[start : start + run.batch_size]
        error = (part.astype(np.float64) - run.decode(run.encode(part))) / 255
        errors.append(np.square(error).mean(axis=(1, 2, 3)))
    return np.concatenate(errors)


def routing_table(
    whole: Errors, experts: Errors, names: list[str], labels: npt.NDArray[np.str_]
) -> pd.DataFrame:
    """Errors of the experts and accuracy of the router, for each class and for all images.

    Args:
        whole: N mean squared errors of the model of all classes.
        experts: N×K mean squared errors of the experts.
        names: the K classes of the experts.
        labels: N true classes, all among `names`.

    Returns:
        A row per class that has images, and the row ``all``: ``images``; the PSNR of the mean
        squared error in dB of ``one_model``, of the ``right_expert`` and of the ``routed`` one;
        ``routing_accuracy``; and columns ``to_<class>``, the share routed to each expert.
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


def _plot_confusion(
    table: pd.DataFrame, names: list[str], whole: TrainedRun, store: Store, title: str, path: Path
) -> None:
    classes, every = table.iloc[:-1], table.iloc[-1]
    names_of_rows = list(classes["class"])
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
    axes.set_yticks(range(len(names_of_rows)), names_of_rows, fontsize=8)
    axes.set(xlabel="expert with the smallest error", ylabel="true class")
    axes.set_title(
        f"{title}: an expert per class, chosen by its error\n"
        f"accuracy {every['routing_accuracy']:.3f} · PSNR one model {every['one_model']:.2f}, "
        f"routed {every['routed']:.2f}, right expert {every['right_expert']:.2f} dB\n"
        f"{whole.run.title()}\n{store.name} ({store.card['source']}), "
        f"{every['images']:,.0f} validation images",
        fontsize=7,
        loc="left",
    )
    save_figure(path, figure)
