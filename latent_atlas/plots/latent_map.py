"""A run's latents on one page: what each draws, and what it knows of each true factor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latent_atlas.data.store import Store
from latent_atlas.metrics.disentanglement import holdings
from latent_atlas.plots.grid import save_figure, set_wrapped, tile
from latent_atlas.plots.traversal import Frame, frame
from latent_atlas.training.checkpoint import TrainedRun

MAPS = {
    "share": "share of information",
    "trees": "importance (trees)",
    "lasso": "importance (lasso)",
}
"""The columns of `disentanglement.matrices` that are drawn where they are there, from 0 to 1."""

HOLDS = 0.1
"""A latent holds nothing if it has a smaller share of every factor."""

MOST_ROWS = 40
"""Latents on a page; of more, the most active are shown."""

_CELL, _SMALL_CELL = 0.62, 0.42
"""Inches of a cell of a heat map; the small one for more than `_FEW` factors or latents."""

_FEW = 6
_GAP = 1


def draw(
    trained: TrainedRun,
    store: Store,
    matrices: pd.DataFrame,
    latents: pd.DataFrame,
    traversal: float,
    steps: int,
    path: Path,
) -> None:
    """Draw a row a latent: its traversal, and beside it the heat maps of `MAPS`.

    Args:
        trained: the run.
        store: the images that it was trained on.
        matrices: as of `disentanglement.matrices`, of the run's codes; at least its column
            ``share``.
        latents: as of `measure.latents`.
        traversal: a latent goes from −traversal to +traversal units of `traversal.frame`.
        steps: images in a row.
        path: the PNG to write.
    """
    shown = latents.nlargest(MOST_ROWS, "activity").sort_values("latent")
    names = list(dict.fromkeys(matrices["factor"]))
    maps = {column: title for column, title in MAPS.items() if column in matrices}
    height, width, _ = trained.config["shape"]
    cell = _CELL if max(len(names), len(shown)) <= _FEW else _SMALL_CELL
    picture = 1.35 * cell * steps * width / height
    table = max(cell * len(names), 1.2)
    figure = Figure(
        figsize=(picture + (table + 0.35) * len(maps) + 1.3, 1.35 * cell * len(shown) + 1.35),
        layout="constrained",
    )
    widths = [picture, *[table] * len(maps)]
    first, *others = figure.subplots(1, 1 + len(maps), width_ratios=widths)
    values = np.linspace(-traversal, traversal, steps)
    around, labels = frame(trained, store), _labels(shown, matrices)
    _traverse(first, trained, around, shown["latent"].to_list(), values, labels)
    for axes, (column, title) in zip(others, maps.items(), strict=True):
        cells = matrices.pivot(index="latent", columns="factor", values=column)[names]
        rows = cells.to_numpy(np.float64)[shown["latent"].to_numpy() - 1]
        _heat(axes, rows, names, title)
    some = "" if len(shown) == len(latents) else f", the {len(shown)} most active of {len(latents)}"
    title = f"Latents and true factors{some}\n{trained.title()}"
    set_wrapped(figure.suptitle("", fontsize=7), title)
    _undistort(figure, first)
    save_figure(path, figure)


def _undistort(figure: Figure, axes: Axes) -> None:
    """Make the figure as high as its picture in `axes` needs to keep its shape."""
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    height, width = axes.images[0].get_size()
    lack = box.width * height / width - box.height
    figure.set_figheight(figure.get_figheight() + lack / figure.dpi)


def _labels(latents: pd.DataFrame, matrices: pd.DataFrame) -> list[str]:
    """Number, what it holds, and nats, of each latent."""
    held = holdings(matrices, least=HOLDS)["factor"].to_list()
    return [
        f"z{number}: {held[number - 1]}" + ("" if np.isnan(kl) else f"\n{kl:.1f} nats")
        for number, kl in zip(latents["latent"].to_list(), latents["kl"].to_list(), strict=True)
    ]


def _traverse(
    axes: Axes,
    trained: TrainedRun,
    frame: Frame,
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
    axes.set_title(f"traversal, the other latents {frame.rest}", fontsize=7)


def _heat(axes: Axes, cells: npt.NDArray[np.float64], names: Sequence[str], title: str) -> None:
    axes.imshow(cells, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells):
        if value >= 0.005:
            colour = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=6)
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=45 if len(names) > 3 else 0)
    axes.set_yticks([])
    axes.set_title(title, fontsize=7)
