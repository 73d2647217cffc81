"""Curves of style loss, kinds of paths side by side, and strips of pictures to be looked at."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from latent_atlas.analysis.interpolation import tables as summary
from latent_atlas.analysis.interpolation.style_auc import verdict
from latent_atlas.analysis.interpolation.tables import AGAINST_LINEAR, RANDOM, Joined
from latent_atlas.plots.grid import enlargement, save_figure, save_grid

LABELS = {
    "style": "style loss, whole path",
    "off_manifold": "distance of codes from data\n(1: as data among themselves)",
    "off_pictures": "distance of pictures from data",
    "cross_dissolve": "cross-dissolve index\n(0: a blend, 1: data)",
}
_ACROSS = 3
STRIP_KINDS = ("linear", "geodesic", "graph")

Floats = npt.NDArray[np.floating]


def draw(
    joined: list[Joined],
    titles: Mapping[str, str],
    measure: str,
    examples: int,
    seed: int,
    out: Path,
    pictures: Path,
) -> None:
    """All figures of the paths.

    Args:
        joined: all paths of all runs.
        titles: name → title of each run, in the order of the rows and columns.
        measure: of style, in a line.
        examples: pairs that are drawn as strips.
        seed: of the intervals.
        out: folder of the figures.
        pictures: folder of those that show images.
    """
    names = list(titles)
    about = " · ".join([*titles.values(), f"style: {measure}"])
    for experiment, what in (("intra", "one style"), ("inter", "two styles")):
        chosen = [one for one in joined if one.pairs.experiment == experiment]
        if chosen:
            title = f"Style loss of each step, random pairs of {what}: mean ± sd · {about}"
            _curves(chosen, names, title, out / f"curves_{experiment}.png")
    _extreme_curves(joined, names, about, out / "curves_extremes.png")
    _kinds(joined, names, seed, about, out / "kinds.png")
    _claim(joined, names, seed, about, out / "claim.png")
    for name, title in titles.items():
        own = [one for one in joined if one.run == name]
        _strips(own, examples, title, pictures / f"strips_{name}.png")
        _extremes(own, title, pictures / f"extremes_{name}.png")


def draw_separation(table: pd.DataFrame, about: str, path: Path) -> None:
    """AUC of every distance, of styles and, where it is known, of content."""
    order = list(dict.fromkeys(zip(table["distance"], table["layer"], strict=True)))
    figure = Figure(figsize=(7.5, 1.4 + 0.27 * len(order)))
    axes = figure.add_subplot()
    for colour, (of, rows) in zip(("C0", "C7"), table.groupby("of", sort=False), strict=False):
        at = [order.index(key) for key in zip(rows["distance"], rows["layer"], strict=True)]
        spread = [rows["auc"] - rows["low"], rows["high"] - rows["auc"]]
        axes.errorbar(
            rows["auc"], at, xerr=np.abs(spread), fmt="o", ms=4, color=colour, capsize=2, label=of
        )
    axes.axvline(0.5, color="0.6", lw=1, zorder=0)
    axes.set_yticks(range(len(order)), [" ".join(filter(None, key)) for key in order], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(min(0.45, table["low"].min() - 0.02), 1.01)  # so that little looks little
    axes.set_xlabel("AUC of pairs that are alike in … against pairs that are not (0.5: chance)")
    axes.legend(frameon=False, fontsize=8)
    found = verdict(table)
    _title(figure, f"{found.text if found else ''} · {about}")
    save_figure(path, figure)


def _curves(joined: list[Joined], names: list[str], title: str, path: Path) -> None:
    figure, panels = _panels(len(names), 3.6)
    for at, (name, axes) in enumerate(zip(names, panels, strict=True)):
        own = [one for one in joined if one.run == name]
        for number, one in enumerate(own):
            _band(axes, one.walk.style, f"C{number}", one.pairs.group)
        axes.set(title=name, xlabel="step", ylabel="style loss" if at % _ACROSS == 0 else None)
        axes.set_ylim(bottom=0)
        axes.title.set_fontsize(8)
    axes.legend(frameon=False, fontsize=7)
    _title(figure, title)
    save_figure(path, figure)


def _band(axes: Any, curves: Floats, colour: str, label: str) -> None:
    """Mean ± one standard deviation of P×N values over steps 1 … N."""
    steps = np.arange(1, curves.shape[1] + 1)
    mean, spread = curves.mean(0), curves.std(0)
    axes.plot(steps, mean, color=colour, label=label)
    axes.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.12, lw=0)


def _extreme_curves(joined: list[Joined], names: list[str], about: str, path: Path) -> None:
    """The closest pairs, the farthest, and the farthest in many steps; a column a run."""
    lengths = sorted({one.walk.style.shape[1] for one in joined})
    rows = [("closest", lengths[0]), *(("farthest", length) for length in lengths)]
    figure = Figure(figsize=(max(6.4, 4.2 * len(names)), 2.3 * len(rows) + 0.8))
    for at, name in enumerate(names):
        for row, (experiment, steps) in enumerate(rows):
            axes = figure.add_subplot(len(rows), len(names), row * len(names) + at + 1)
            for one in joined:
                asked = one.run == name and one.pairs.experiment == experiment
                if asked and one.walk.style.shape[1] == steps:
                    label = one.pairs.group
                    axes.plot(np.arange(1, steps + 1), one.walk.style[0], lw=1, label=label)
            axes.set_title(f"{name}: {experiment} pairs, {steps} steps", fontsize=8)
            axes.set_ylim(bottom=0)
            if at == 0:
                axes.set_ylabel("style loss", fontsize=8)
            if at == len(names) - 1:
                axes.legend(frameon=False, fontsize=6, bbox_to_anchor=(1, 1), loc="upper left")
    _title(figure, f"Style loss of each step, linear paths · {about}")
    save_figure(path, figure)


def _kinds(joined: list[Joined], names: list[str], seed: int, about: str, path: Path) -> None:
    """A row a run: the curves of each kind, and four measures with intervals."""
    columns = 1 + len(LABELS)
    figure = Figure(figsize=(15, 3.1 * len(names) + 0.7))
    for row, name in enumerate(names):
        own = {
            one.kind: one.walk
            for one in joined
            if one.run == name and one.pairs.experiment == "compared"
        }
        axes = figure.add_subplot(len(names), columns, row * columns + 1)
        for number, (kind, walk) in enumerate(own.items()):
            _band(axes, walk.style, f"C{number}", kind)
        axes.set_title(f"{name}, {len(walk.style)} pairs", fontsize=8)
        axes.set(xlabel="step", ylabel="style loss")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=7)
        for column, measure in enumerate(AGAINST_LINEAR):
            axes = figure.add_subplot(len(names), columns, row * columns + column + 2)
            for number, walk in enumerate(own.values()):
                mean = summary.interval(walk.table[measure].to_numpy(), seed)
                spread = [[mean.value - mean.low], [mean.high - mean.value]]
                axes.errorbar(
                    mean.value, number, xerr=spread, fmt="o", color=f"C{number}", capsize=2
                )
            axes.set_yticks(range(len(own)), list(own) if column == 0 else [""] * len(own))
            axes.set_ylim(len(own) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.set_xlabel(LABELS[measure], fontsize=8)
    _title(
        figure, f"The same pairs joined by paths of each kind; means with 95 % intervals · {about}"
    )
    save_figure(path, figure)


def _claim(joined: list[Joined], names: list[str], seed: int, about: str, path: Path) -> None:
    figure, panels = _panels(len(names), 3.8)
    for at, (name, axes) in enumerate(zip(names, panels, strict=True)):
        for experiment, colour in zip(RANDOM, ("C0", "C1"), strict=True):
            tables = [
                one.walk.table
                for one in joined
                if one.run == name and one.kind == "linear" and one.pairs.experiment == experiment
            ]
            if tables:
                table = pd.concat(tables)
                x, y = table["cross_dissolve"], table["curvature"]
                axes.scatter(x, y, s=9, alpha=0.5, color=colour, lw=0, label=experiment)
        rho = summary.claim(joined, name, seed)
        axes.axhline(0, color="0.6", lw=1, zorder=0)
        axes.set_title(f"{name}: Spearman's ρ {rho}", fontsize=8)
        axes.set_xlabel("cross-dissolve index (0: a blend, 1: data)")
        if at % _ACROSS == 0:
            axes.set_ylabel("curvature of the style loss\n(− horseshoe, + wave)")
    axes.legend(frameon=False, fontsize=7)
    _title(
        figure,
        "Does a horseshoe mean transformation, and a wave a cross-dissolve? Then ρ is near −1. "
        f"Linear paths of random pairs · {about}",
    )
    save_figure(path, figure)


def _strips(joined: list[Joined], pairs: int, title: str, path: Path) -> None:
    """Some pairs, a row a kind of path, linear ones above."""
    walks = {one.kind: one.walk for one in joined if one.pairs.experiment == "compared"}
    shown = min(pairs, len(walks["linear"].pictures))
    pictures = np.stack([walks[kind].pictures[:shown] for kind in STRIP_KINDS], axis=1)
    index = [walks[kind].table["cross_dissolve"] for kind in STRIP_KINDS]
    labels = [
        f"{kind} {index[number][pair]:.2f}"
        for pair in range(shown)
        for number, kind in enumerate(STRIP_KINDS)
    ]
    _save_strips(
        pictures.reshape(-1, *pictures.shape[2:]),
        labels,
        f"{shown} pairs of validation images, each on a straight line, on a geodesic of the "
        f"decoder's metric and from datum to datum, with the cross-dissolve index · {title}",
        path,
    )


def _extremes(joined: list[Joined], title: str, path: Path) -> None:
    """The closest and the farthest pair of every style, and the closest of every two."""
    steps = min(one.walk.style.shape[1] for one in joined)
    chosen = [
        one
        for experiment in ("closest", "farthest")
        for one in joined
        if one.pairs.experiment == experiment and one.walk.style.shape[1] == steps
    ]
    _save_strips(
        np.concatenate([one.walk.pictures for one in chosen]),
        [f"{one.pairs.experiment}: {one.pairs.group}" for one in chosen],
        f"Linear paths between the closest and the farthest codes · {title}",
        path,
    )


def _save_strips(
    pictures: npt.NDArray[np.uint8], labels: Sequence[str], title: str, path: Path
) -> None:
    """P×K×H×W×C pictures, a row a path."""
    count, points, height, width, channels = pictures.shape
    save_grid(
        path,
        pictures.reshape(count * points, height, width, channels),
        points,
        title,
        column_labels=[f"{at / (points - 1):.2g}" for at in range(points)],
        row_labels=labels,
        enlarge=enlargement(height, width, 72),
    )


def _panels(count: int, height: float) -> tuple[Figure, list[Any]]:
    """A figure of so many panels, at most `_ACROSS` in a row of `height` inches."""
    across, down = min(count, _ACROSS), -(-count // _ACROSS)
    figure = Figure(figsize=(max(6.4, 4.2 * across), height * down + 0.8))
    return figure, [figure.add_subplot(down, across, at + 1) for at in range(count)]


def _title(figure: Figure, text: str) -> None:
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
