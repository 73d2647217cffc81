"""Reconstruction loss and number of active latents over the grid of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator, NullLocator

from latent_atlas.plots.grid import save_figure
from latent_atlas.studies.results import COMPARED, Outcome, compare_with_published

_AXES = {"latent_dim": "latent size", "beta": "β"}


def draw_reconstruction_loss(outcome: Outcome, folder: Path) -> None:
    """Write ``reconstruction_loss.png``: validation loss over latent size and over β.

    Each data set has a panel for each of the two that vary.
    """
    rows = compare_with_published(outcome).drop_duplicates(["data", "beta", "latent_dim"])
    if COMPARED not in rows:
        return
    panels = [
        (data, x, line)
        for data in dict.fromkeys(rows["data"])
        for x, line in (("latent_dim", "beta"), ("beta", "latent_dim"))
        if rows.loc[rows["data"] == data, x].nunique() > 1
    ]
    if not panels:
        return
    figure, places = _panels(len(panels))
    for (data, x, line), axes in zip(panels, places, strict=True):
        part = rows[rows["data"] == data]
        for value, colour in _colours(part[line]).items():
            curve = part[part[line] == value].sort_values(x)
            _plot_means(axes, curve, x, COMPARED, colour, f"{_AXES[line]} {value:g}")
            published = curve.dropna(subset=["published_valid_reconstruction"])
            axes.plot(
                published[x],
                published["published_valid_reconstruction"],
                color=colour,
                linestyle="--",
                marker="s",
                markersize=4,
                markerfacecolor="none",
            )
        axes.set(ylabel="valid. reconstruction loss (nats)", yscale="log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter())
        _format_axis(axes, x, part[x], f"{data} ({outcome.size(data, *part['table'])})")
    legend = "mean ± sd over seeds"
    if not outcome.published.empty:
        names = ", ".join(sorted(set(outcome.published["data"])))
        legend = f"solid: ours, mean ± sd over seeds; dashed: published ({names})"
    _save(figure, outcome, legend, folder / "reconstruction_loss.png")


def draw_active_latents(outcome: Outcome, folder: Path) -> None:
    """Write ``active_latents.png``: active latents over β, a line per latent size.

    A dotted line shows the number of true factors, where it is known.
    """
    rows = compare_with_published(outcome).drop_duplicates(["data", "beta", "latent_dim"])
    if "active_latents" not in rows:
        return
    rows = rows.dropna(subset=["active_latents"])
    if rows.empty:  # only other trainings of the same conditions are finished
        return
    names = list(dict.fromkeys(rows["data"]))
    figure, places = _panels(len(names))
    for data, axes in zip(names, places, strict=True):
        part = rows[rows["data"] == data]
        for value, colour in _colours(part["latent_dim"]).items():
            curve = part[part["latent_dim"] == value].sort_values("beta")
            _plot_means(axes, curve, "beta", "active_latents", colour, f"latent size {value:g}")
        factors = len(outcome.stores[data].card["factors"])
        if factors:
            axes.axhline(factors, color="0.4", linestyle=":", label=f"true factors: {factors}")
        axes.set(ylabel="active latents", ylim=(0, None))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _format_axis(axes, "beta", part["beta"], f"{data} ({outcome.size(data, *part['table'])})")
    threshold = outcome.study.active_threshold
    legend = f"active: the variance of the posterior mean is above {threshold:g}"
    _save(figure, outcome, legend, folder / "active_latents.png")


def _colours(values: pd.Series) -> dict[Any, Any]:
    """A colour for each value; small values are dark."""
    ordered = sorted(set(values))
    shades = colormaps["viridis"](np.linspace(0, 0.85, len(ordered)))
    return dict(zip(ordered, shades, strict=True))


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, two per row."""
    rows, columns = -(-count // 2), min(count, 2)
    figure = Figure(figsize=(5.2 * columns, 3.6 * rows + 0.6), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _plot_means(axes: Axes, rows: pd.DataFrame, x: str, y: str, colour: Any, label: str) -> None:
    """Plot means, with error bars of one sample standard deviation where there are seeds."""
    rows = rows.dropna(subset=[y])
    axes.errorbar(
        rows[x],
        rows[y],
        yerr=rows[f"{y}_sd"].fillna(0),
        color=colour,
        marker="o",
        markersize=4,
        capsize=2,
        label=label,
    )


def _format_axis(axes: Axes, name: str, values: pd.Series, title: str) -> None:
    """Format the horizontal axis: a doubling has the same width everywhere, and β may be 0."""
    ticks = sorted(set(values))
    if name == "beta":
        axes.set_xscale("symlog", base=2, linthresh=1)
        axes.set_xlim(ticks[0] - 0.2, max(ticks[-1], 1) * 1.2)
    else:
        axes.set_xscale("log", base=2)
        axes.set_xlim(ticks[0] / 1.2, ticks[-1] * 1.2)
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3, which="both")
    axes.set_xlabel(_AXES[name])
    axes.set_title(title, fontsize=9)
    axes.legend(frameon=False, fontsize=7, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _save(figure: Figure, outcome: Outcome, legend: str, path: Path) -> None:
    figure.suptitle(f"{outcome.study.title}, {outcome.scale} scale\n{legend}", fontsize=9)
    save_figure(path, figure)
