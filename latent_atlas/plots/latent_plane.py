"""The latent plane of a model with two latents, whole on a page: a mesh of decodings, a scatter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure, save_grid, set_wrapped
from latent_atlas.plots.traversal import frame
from latent_atlas.training.checkpoint import TrainedRun

Rows = npt.NDArray[np.int64]

_LEGEND_ROWS = 28
"""Classes below each other in the height of a scatter."""


def mesh(trained: TrainedRun, store: Store, steps: int, traversal: float, path: Path) -> None:
    """Decodings on a square mesh, z2 upwards.

    Args:
        trained: a run with two latents.
        store: the images that it was trained on.
        steps: rows and columns of the mesh.
        traversal: both latents go from −traversal to +traversal units of `traversal.frame`.
        path: the PNG to write.
    """
    values = np.linspace(-traversal, traversal, steps)
    z1, z2 = np.meshgrid(values, values[::-1])
    around = frame(trained, store)
    codes = around.centre + around.unit * np.stack([z1.ravel(), z2.ravel()], axis=1)
    first, *_, last = around.labels(values)
    save_grid(
        path,
        trained.decode(codes.astype(np.float32)),
        columns=steps,
        title=f"Decodings of z1 (to the right) and z2 (upwards), both from "
        f"{first} to {last} · {trained.title()}",
        gap=1,
    )


def scatter(trained: TrainedRun, store: Store, most: int, path: Path) -> None:
    """Codes of validation images, at most `most` of each class, coloured by class.

    Those without a label are grey, if others have one.
    """
    valid, labels = store.rows("valid"), store.labels()
    groups = list(enumerate(store.classes))
    if (labels[valid] < 0).any():
        groups.append((-1, "without a label" if groups else "all images"))
    columns = -(-len(groups) // _LEGEND_ROWS)
    across = max(1.2, 0.4 + 0.08 * max(len(name) for _, name in groups))
    figure = Figure(figsize=(6.0 + across * columns, 6.4))
    axes = figure.add_subplot()
    for number, name in groups:
        rows = valid[labels[valid] == number]
        if len(rows) == 0:
            continue
        rows = choose(rows, min(most, len(rows)), trained.run.seed)
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
    title = f"Codes of validation images, at most {most} a class\n{trained.title()}"
    set_wrapped(axes.set_title("", fontsize=7, loc="left"), title)
    figure.tight_layout()
    save_figure(path, figure)


def choose(rows: Rows, count: int, seed: int) -> Rows:
    """`count` of `rows` at random but always the same; again from the start if there are fewer."""
    return np.resize(np.random.default_rng([seed, 0]).permutation(rows), count)
