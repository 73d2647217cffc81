"""Pictures of a DeepCluster training: cluster sizes, and agreement by epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.config.schema import DeepCluster
from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure
from latent_atlas.training.deepcluster import DeepClusterResult

AGREEMENT = {
    "nmi_previous": "NMI with the previous epoch",
    "nmi_labels": "NMI with the classes",
    "purity": "purity",
}
"""Columns of the history that are drawn if present."""


def plot_deepcluster(
    result: DeepClusterResult, settings: DeepCluster, seed: int, store: Store, out: Path
) -> None:
    """Write ``sizes.png`` and ``agreement.png`` into the folder `out`."""
    parts = ", quadrants" if settings.quadrants else ""
    title = (
        f"{settings.network} (width {settings.width:g}), {settings.epochs} epochs, seed {seed}"
        f" · data {store.name} ({store.card['source']}){parts}"
    )
    _plot_sizes(result.sizes, title, out / "sizes.png")
    _plot_agreement(result.history, title, out / "agreement.png")


def _plot_sizes(sizes: npt.NDArray[np.int64], title: str, path: Path) -> None:
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_subplot()
    axes.hist(sizes, bins=30, color="#4c72b0")
    even = sizes.sum() / len(sizes)
    axes.axvline(even, color="black", linestyle="--", linewidth=1, label=f"even: {even:.0f}")
    axes.set_xlabel("images per cluster")
    axes.set_ylabel("clusters")
    axes.legend(frameon=False)
    axes.set_title(f"Sizes of the {len(sizes)} clusters\n{title}", fontsize=7, loc="left")
    figure.tight_layout()
    save_figure(path, figure)


def _plot_agreement(history: pd.DataFrame, title: str, path: Path) -> None:
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_subplot()
    for column, label in AGREEMENT.items():
        if column in history:
            axes.plot(history["epoch"], history[column], marker=".", label=label)
    axes.set_ylim(0, 1)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("epoch")
    axes.legend(frameon=False)
    axes.set_title(f"Agreement of the clusters\n{title}", fontsize=7, loc="left")
    figure.tight_layout()
    save_figure(path, figure)
