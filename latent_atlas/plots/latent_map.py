"""Map of a run's latents: the traversal of each, and its information about each true factor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.metrics.disentanglement import dominant_factors
from latent_atlas.plots.grid import save_figure, set_wrapped, tile
from latent_atlas.plots.traversal import TraversalFrame, most_active, traversal_frame
from latent_atlas.training.checkpoint import TrainedRun

HEAT_MAPS = {
    "normalised_mutual_information": "normalised mutual information",
    "dci_trees": "DCI importance (trees)",
    "dci_lasso": "DCI importance (lasso)",
}
"""Columns of `disentanglement.Summary.table` that are drawn if present, from 0 to 1."""

LEAST_INFORMATION = 0.1
"""A latent with less normalised mutual information about every factor has no dominant factor."""

_CELL, _SMALL_CELL = 0.62, 0.42
"""Inches of a cell of a heat map; the small one for more than `_FEW` factors or latents."""

_FEW = 6
_GAP = 1


def plot_latent_map(
    trained: TrainedRun,
    store: Store,
    relations: pd.DataFrame,
    latents: pd.DataFrame,
    limit: float,
    steps: int,
    path: Path,
) -> None:
    """A row per latent: its traversal, and beside it the `HEAT_MAPS`.

    Args:
        trained: the run.
        store: the images that it was trained on.
        relations: as of `disentanglement.Summary.table`; at least the column
            ``normalised_mutual_information``.
        latents: as of `latent_atlas.metrics.reconstruction.latent_activity`.
        limit: a latent changes from −limit to +limit units of `traversal.traversal_frame`.
        steps: images in a row.
        path: the PNG to write.
    """
    shown, note = most_active(latents)
    names = list(dict.fromkeys(relations["factor"]))
    titles = {column: title for column, title in HEAT_MAPS.items() if column in relations}
    height, width, _ = trained.config["shape"]
    cell = _CELL if max(len(names), len(shown)) <= _FEW else _SMALL_CELL
    picture = 1.35 * cell * steps * width / height
    table = max(cell * len(names), 1.2)
    figure = Figure(
        figsize=(picture + (table + 0.35) * len(titles) + 1.3, 1.35 * cell * len(shown) + 1.35),
        layout="constrained",
    )
    widths = [picture, *[table] * len(titles)]
    first, *others = figure.subplots(1, 1 + len(titles), width_ratios=widths)
    values = np.linspace(-limit, limit, steps)
    frame, labels = traversal_frame(trained, store), _labels(shown, relations)
    _plot_traversals(first, trained, frame, shown["latent"].to_list(), values, labels)
    for axes, (column, title) in zip(others, titles.items(), strict=True):
        cells = relations.pivot(index="latent", columns="factor", values=column)[names]
        rows = cells.to_numpy(np.float64)[shown["latent"].to_numpy() - 1]
        _plot_heat_map(axes, rows, names, title)
    title = f"Latents and true factors{note}\n{trained.title()}"
    set_wrapped(figure.suptitle("", fontsize=7), title)
    _keep_aspect(figure, first)
    save_figure(path, figure)


def _keep_aspect(figure: Figure, axes: Axes) -> None:
    """Change the figure's height so that the picture in `axes` keeps its aspect ratio."""
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    height, width = axes.images[0].get_size()
    missing = box.width * height / width - box.height
    figure.set_figheight(figure.get_figheight() + missing / figure.dpi)


def _labels(latents: pd.DataFrame, relations: pd.DataFrame) -> list[str]:
    """Number, dominant factor and KL of each latent."""
    factors = dominant_factors(relations, least=LEAST_INFORMATION)["factor"].to_list()
    return [
        f"z{number}: {factors[number - 1]}" + ("" if np.isnan(kl) else f"\n{kl:.1f} nats")
        for number, kl in zip(latents["latent"].to_list(), latents["kl"].to_list(), strict=True)
    ]


def _plot_traversals(
    axes: Axes,
    trained: TrainedRun,
    frame: TraversalFrame,
    latents: Sequence[int],
    values: npt.NDArray[np.float64],
    labels: Sequence[str],
) -> None:
    count, steps = len(latents), len(values)
    images = trained.decode(frame.codes(latents, values).reshape(count * steps, -1))
    height, width = images.shape[1:3]
    axes.imshow(tile(images, steps, _GAP), interpolation="antialiased", aspect="auto")
    places = np.arange(count) * (height + _GAP) + height / 2 - 0.5
    axes.set_yticks(places, labels, fontsize=7)
    columns = np.arange(steps) * (width + _GAP) + width / 2 - 0.5
    axes.set_xticks(columns, frame.labels(values), fontsize=6)
    axes.tick_params(length=0)
    axes.set_title(f"traversal, the other latents {frame.constant}", fontsize=7)


def _plot_heat_map(
    axes: Axes, cells: npt.NDArray[np.float64], names: Sequence[str], title: str
) -> None:
    axes.imshow(cells, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells):
        if value >= 0.005:
            colour = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=6)
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=45 if len(names) > 3 else 0)
    axes.set_yticks([])
    axes.set_title(title, fontsize=7)
