"""The latent plane of a model with two latents: a mesh of decoded codes, and a scatter of codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.plots.grid import sample_rows, save_figure, save_grid, set_wrapped
from latent_atlas.plots.traversal import traversal_frame
from latent_atlas.training.checkpoint import TrainedRun

_LEGEND_ROWS = 28
"""Classes in one column of the legend of a scatter."""


def plot_mesh(trained: TrainedRun, store: Store, steps: int, limit: float, path: Path) -> None:
    """Decoded codes of a square mesh, z2 upwards.

    Args:
        trained: a run with two latents.
        store: the images that it was trained on.
        steps: rows and columns of the mesh.
        limit: both latents go from −limit to +limit units of `traversal.traversal_frame`.
        path: the PNG to write.
    """
    values = np.linspace(-limit, limit, steps)
    z1, z2 = np.meshgrid(values, values[::-1])
    frame = traversal_frame(trained, store)
    codes = frame.centre + frame.unit * np.stack([z1.ravel(), z2.ravel()], axis=1)
    first, *_, last = frame.labels(values)
    save_grid(
        path,
        trained.decode(codes.astype(np.float32)),
        columns=steps,
        title=f"Decoded z1 (to the right) and z2 (upwards), both from "
        f"{first} to {last} · {trained.title()}",
        gap=1,
    )


def plot_scatter(trained: TrainedRun, store: Store, most: int, path: Path) -> None:
    """Codes of validation images, at most `most` of each class, coloured by class.

    Images without a label are grey if others have one.
    """
    valid, labels = store.rows("valid"), store.labels()
    groups = list(enumerate(store.classes))
    if (labels[valid] < 0).any():
        groups.append((-1, "without a label" if groups else "all images"))
    columns = -(-len(groups) // _LEGEND_ROWS)
    legend_width = max(1.2, 0.4 + 0.08 * max(len(name) for _, name in groups))
    figure = Figure(figsize=(6.0 + legend_width * columns, 6.4))
    axes = figure.add_subplot()
    for number, name in groups:
        rows = valid[labels[valid] == number]
        if len(rows) == 0:
            continue
        rows = sample_rows(rows, min(most, len(rows)), trained.run.seed)
        codes = trained.encode(store.images[rows])
        colour = f"C{number % 10}" if number >= 0 else "0.5" if store.classes else "C0"
        marker = "os^Dv"[max(number, 0) // 10 % 5]
        axes.scatter(codes[:, 0], codes[:, 1], s=18, c=colour, marker=marker, label=name)
    axes.set(xlabel="z1", ylabel="z2")
    axes.axhline(0, color="0.85", zorder=0)
    axes.axvline(0, color="0.85", zorder=0)
    axes.legend(
        bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False, fontsize=8, ncols=columns
    )
    title = f"Codes of validation images, at most {most} per class\n{trained.title()}"
    set_wrapped(axes.set_title("", fontsize=7, loc="left"), title)
    figure.tight_layout()
    save_figure(path, figure)
