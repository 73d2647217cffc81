"""Plots of interpolations: style loss by step, comparison of kinds, and rows of decoded images."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.analysis.interpolation.style_auc import validate_style_loss
from latent_atlas.analysis.interpolation.tables import (
    AGAINST_LINEAR,
    Interpolations,
    compared_curves,
    curvature_dissolve_rho,
    mean_interval,
)
from latent_atlas.plots.grid import enlargement, save_figure, save_grid

LABELS = {
    "style": "style loss of the whole curve",
    "distance_to_codes": "distance to codes of data\n(1: as data among themselves)",
    "distance_to_images": "distance to images of data",
    "cross_dissolve": "cross-dissolve index\n(0: blend, 1: data)",
}
STRIP_KINDS = ("linear", "geodesic", "graph")
_COLUMNS = 3

Floats = npt.NDArray[np.floating]


def plot_interpolations(
    parts: list[Interpolations],
    titles: Mapping[str, str],
    style_measure: str,
    examples: int,
    seed: int,
    out: Path,
    images: Path,
) -> None:
    """Write all plots.

    Args:
        parts: all curves of all runs.
        titles: name → title of each run, in the order of rows and columns.
        style_measure: title of the measure of style.
        examples: number of pairs that are shown as strips.
        seed: of the intervals.
        out: folder of the plots without images.
        images: folder of the plots that show images.
    """
    names = list(titles)
    about = " · ".join([*titles.values(), f"style: {style_measure}"])
    for experiment, group in (("intra", "one style"), ("inter", "two styles")):
        chosen = [part for part in parts if part.pairs.experiment == experiment]
        if chosen:
            title = f"Style loss of each step, random pairs of {group}: mean ± sd · {about}"
            _plot_random_pairs(chosen, names, title, out / f"curves_{experiment}.png")
    _plot_extreme_pairs(parts, names, about, out / "curves_extremes.png")
    _plot_kinds(parts, names, seed, about, out / "kinds.png")
    _plot_curvature_dissolve(parts, names, seed, about, out / "curvature_dissolve.png")
    for name, title in titles.items():
        own = [part for part in parts if part.run == name]
        _save_compared_strips(own, name, examples, title, images / f"strips_{name}.png")
        _save_extreme_strips(own, title, images / f"extremes_{name}.png")


def plot_style_auc(table: pd.DataFrame, about: str, path: Path) -> None:
    """Plot the AUC of every distance, for styles and, where it is known, for content."""
    order = list(dict.fromkeys(zip(table["distance"], table["layer"], strict=True)))
    figure = Figure(figsize=(7.5, 1.4 + 0.27 * len(order)))
    axes = figure.add_subplot()
    groups = table.groupby("label", sort=False)
    for colour, (label, rows) in zip(("C0", "C7"), groups, strict=False):
        at = [order.index(key) for key in zip(rows["distance"], rows["layer"], strict=True)]
        spread = np.abs([rows["auc"] - rows["low"], rows["high"] - rows["auc"]])
        axes.errorbar(
            rows["auc"], at, xerr=spread, fmt="o", ms=4, color=colour, capsize=2, label=label
        )
    axes.axvline(0.5, color="0.6", lw=1, zorder=0)
    axes.set_yticks(range(len(order)), [" ".join(filter(None, key)) for key in order], fontsize=8)
    axes.invert_yaxis()
    # A wide range, so that a small difference looks small.
    axes.set_xlim(min(0.45, table["low"].min() - 0.02), 1.01)
    axes.set_xlabel("AUC of pairs with one label against pairs with two labels (0.5: chance)")
    axes.legend(frameon=False, fontsize=8)
    validation = validate_style_loss(table)
    _set_title(figure, f"{validation.text if validation else ''} · {about}")
    save_figure(path, figure)


def _plot_random_pairs(
    parts: list[Interpolations], names: list[str], title: str, path: Path
) -> None:
    figure, panels = _panels(len(names), 3.6)
    for at, (name, axes) in enumerate(zip(names, panels, strict=True)):
        own = [part for part in parts if part.run == name]
        for number, part in enumerate(own):
            _plot_band(axes, part.curves.style, f"C{number}", part.pairs.group)
        axes.set(title=name, xlabel="step", ylabel="style loss" if at % _COLUMNS == 0 else None)
        axes.set_ylim(bottom=0)
        axes.title.set_fontsize(8)
    axes.legend(frameon=False, fontsize=7)
    _set_title(figure, title)
    save_figure(path, figure)


def _plot_band(axes: Any, profiles: Floats, colour: str, label: str) -> None:
    """Mean ± one standard deviation of P×N values over steps 1 … N."""
    steps = np.arange(1, profiles.shape[1] + 1)
    mean, spread = profiles.mean(0), profiles.std(0)
    axes.plot(steps, mean, color=colour, label=label)
    axes.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.12, lw=0)


def _plot_extreme_pairs(
    parts: list[Interpolations], names: list[str], about: str, path: Path
) -> None:
    """Closest pairs, farthest pairs, and farthest pairs in many steps; a column per run."""
    lengths = sorted({part.curves.style.shape[1] for part in parts})
    rows = [("closest", lengths[0]), *(("farthest", length) for length in lengths)]
    figure = Figure(figsize=(max(6.4, 4.2 * len(names)), 2.3 * len(rows) + 0.8))
    for at, name in enumerate(names):
        for row, (experiment, steps) in enumerate(rows):
            axes = figure.add_subplot(len(rows), len(names), row * len(names) + at + 1)
            for part in parts:
                chosen = part.run == name and part.pairs.experiment == experiment
                if chosen and part.curves.style.shape[1] == steps:
                    style = part.curves.style[0]
                    axes.plot(np.arange(1, steps + 1), style, lw=1, label=part.pairs.group)
            axes.set_title(f"{name}: {experiment} pairs, {steps} steps", fontsize=8)
            axes.set_ylim(bottom=0)
            if at == 0:
                axes.set_ylabel("style loss", fontsize=8)
            if at == len(names) - 1:
                axes.legend(frameon=False, fontsize=6, bbox_to_anchor=(1, 1), loc="upper left")
    _set_title(figure, f"Style loss of each step, linear curves · {about}")
    save_figure(path, figure)


def _plot_kinds(
    parts: list[Interpolations], names: list[str], seed: int, about: str, path: Path
) -> None:
    """A row per run: the style loss of each kind, and four measures with intervals."""
    columns = 1 + len(LABELS)
    figure = Figure(figsize=(15, 3.1 * len(names) + 0.7))
    for row, name in enumerate(names):
        own = compared_curves(parts, name)
        axes = figure.add_subplot(len(names), columns, row * columns + 1)
        for number, (kind, curves) in enumerate(own.items()):
            _plot_band(axes, curves.style, f"C{number}", kind)
        axes.set_title(f"{name}, {len(curves.style)} pairs", fontsize=8)
        axes.set(xlabel="step", ylabel="style loss")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=7)
        for column, measure in enumerate(AGAINST_LINEAR):
            axes = figure.add_subplot(len(names), columns, row * columns + column + 2)
            for number, curves in enumerate(own.values()):
                mean = mean_interval(curves.table[measure].to_numpy(), seed)
                spread = [[mean.value - mean.low], [mean.high - mean.value]]
                axes.errorbar(
                    mean.value, number, xerr=spread, fmt="o", color=f"C{number}", capsize=2
                )
            axes.set_yticks(range(len(own)), list(own) if column == 0 else [""] * len(own))
            axes.set_ylim(len(own) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.set_xlabel(LABELS[measure], fontsize=8)
    _set_title(
        figure, f"Kinds of curves between the same pairs, means with 95 % intervals · {about}"
    )
    save_figure(path, figure)


def _plot_curvature_dissolve(
    parts: list[Interpolations], names: list[str], seed: int, about: str, path: Path
) -> None:
    """Curvature against cross-dissolve index, a point per random linear curve."""
    figure, panels = _panels(len(names), 3.8)
    for at, (name, axes) in enumerate(zip(names, panels, strict=True)):
        for experiment, label, colour in (
            ("intra", "within a style", "C0"),
            ("inter", "between styles", "C1"),
        ):
            tables = [
                part.curves.table
                for part in parts
                if part.run == name
                and part.kind == "linear"
                and part.pairs.experiment == experiment
            ]
            if tables:
                table = pd.concat(tables)
                x, y = table["cross_dissolve"], table["curvature"]
                axes.scatter(x, y, s=9, alpha=0.5, color=colour, lw=0, label=label)
        rho = curvature_dissolve_rho(parts, name, seed)
        axes.axhline(0, color="0.6", lw=1, zorder=0)
        axes.set_title(f"{name}: Spearman's ρ {rho}", fontsize=8)
        axes.set_xlabel("cross-dissolve index (0: blend, 1: data)")
        if at % _COLUMNS == 0:
            axes.set_ylabel("curvature of the style loss\n(− horseshoe, + wave)")
    axes.legend(frameon=False, fontsize=7)
    _set_title(
        figure,
        "Curvature and cross-dissolve index of linear curves between random pairs. ρ is near −1 "
        f"if a horseshoe means transformation and a wave a cross-dissolve · {about}",
    )
    save_figure(path, figure)


def _save_compared_strips(
    parts: list[Interpolations], run: str, pairs: int, title: str, path: Path
) -> None:
    """The first `pairs` compared pairs, a row per kind of curve."""
    curves = compared_curves(parts, run)
    shown = min(pairs, len(curves["linear"].images))
    images = np.stack([curves[kind].images[:shown] for kind in STRIP_KINDS], axis=1)
    index = [curves[kind].table["cross_dissolve"] for kind in STRIP_KINDS]
    labels = [
        f"{kind} {index[number][pair]:.2f}"
        for pair in range(shown)
        for number, kind in enumerate(STRIP_KINDS)
    ]
    _save_strips(
        images.reshape(-1, *images.shape[2:]),
        labels,
        f"{shown} pairs of validation images, each joined by a straight line, a geodesic of the "
        f"decoder and a geodesic on the graph of the data; with the cross-dissolve index · {title}",
        path,
    )


def _save_extreme_strips(parts: list[Interpolations], title: str, path: Path) -> None:
    """The closest and the farthest pair of each style, and the closest of each two styles."""
    steps = min(part.curves.style.shape[1] for part in parts)
    chosen = [
        part
        for experiment in ("closest", "farthest")
        for part in parts
        if part.pairs.experiment == experiment and part.curves.style.shape[1] == steps
    ]
    _save_strips(
        np.concatenate([part.curves.images for part in chosen]),
        [f"{part.pairs.experiment}: {part.pairs.group}" for part in chosen],
        f"Linear interpolation between the closest and the farthest codes · {title}",
        path,
    )


def _save_strips(
    images: npt.NDArray[np.uint8], labels: Sequence[str], title: str, path: Path
) -> None:
    """P×K×H×W×C images, a row per curve."""
    count, points, height, width, channels = images.shape
    save_grid(
        path,
        images.reshape(count * points, height, width, channels),
        points,
        title,
        column_labels=[f"{at / (points - 1):.2g}" for at in range(points)],
        row_labels=labels,
        enlarge=enlargement(height, width, 72),
    )


def _panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """A figure of `count` panels, at most `_COLUMNS` in a row; a row is `height` inches high."""
    columns, rows = min(count, _COLUMNS), -(-count // _COLUMNS)
    figure = Figure(figsize=(max(6.4, 4.2 * columns), height * rows + 0.8))
    return figure, [figure.add_subplot(rows, columns, at + 1) for at in range(count)]


def _set_title(figure: Figure, text: str) -> None:
    """Write the title, wrapped to the figure's width, above the panels."""
    width = int(figure.get_figwidth() * 15.5)
    lines = textwrap.wrap(text, width)
    top = 1 - (0.16 * len(lines) + 0.05) / figure.get_figheight()
    figure.text(
        0.06 / figure.get_figwidth(),
        1 - 0.05 / figure.get_figheight(),
        "\n".join(lines),
        va="top",
        fontsize=8,
    )
    figure.tight_layout(rect=(0, 0, 1, top))
