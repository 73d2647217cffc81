"""The figures of latent spaces: shares of variance, clusters, orders, distances, maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from latent_atlas.analysis.latent_space import projections
from latent_atlas.analysis.latent_space.summary import ALL, Partition, Survey, table
from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure

_METHODS = {"k_means": "k-means", "spectral": "spectral", "mixture": "Gaussian mixture"}
_TOLD = {"ami": "AMI of k-means", "knn": "nearest neighbours", "probe": "linear probe"}


def draw(
    surveys: Sequence[Survey],
    store: Store,
    partitions: Sequence[Partition],
    thumbnails: int,
    subtitle: str,
    out: Path,
    pictures: Path,
) -> None:
    """Draw everything.

    Args:
        surveys: of the runs, in the order of the panels.
        store: the images that all of them were trained on.
        partitions: as the surveys have them.
        thumbnails: a map shows at most so many squared.
        subtitle: says which data and parameters.
        out: folder of the figures without images.
        pictures: folder of the maps, which show images.
    """
    components(surveys, subtitle, out / "components.png")
    for partition in partitions:
        clusters(surveys, partition, subtitle, out / f"clusters_{partition.name}.png")
    order(surveys, partitions, subtitle, out / "order.png")
    prior(surveys, subtitle, out / "prior.png")
    for one in surveys:
        name = f"map_{one.run}.png"
        atlas(one, store, partitions[0], thumbnails, pictures / name)


def components(surveys: Sequence[Survey], subtitle: str, path: Path) -> None:
    """Share of variance by component: all runs together, then each run with its styles."""
    rows = table(surveys, "components")
    figure, panels = _panels(len(surveys) + 1, 3.0)
    for number, one in enumerate(surveys):
        part = rows[(rows["run"] == one.run) & (rows["style"] == ALL)]
        panels[0].plot(part["component"], 100 * part["share"], marker="o", ms=3, label=one.run)
        panels[0].set_title("all images of each run", fontsize=8)
        own = rows[rows["run"] == one.run]
        for style in dict.fromkeys(own["style"]):
            curve = own[own["style"] == style]
            colour = "black" if style == ALL else None
            panels[number + 1].plot(
                curve["component"],
                100 * curve["share"],
                marker="o",
                ms=3,
                color=colour,
                label=style,
            )
        panels[number + 1].set_title(one.run, fontsize=8)
    for axes in panels:
        axes.set(xlabel="principal component", ylabel="share of variance (%)")
        axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=6)
    _save(figure, "Share of variance in the first principal components", subtitle, path)


def clusters(surveys: Sequence[Survey], partition: Partition, subtitle: str, path: Path) -> None:
    """What the clusters of each run and method are made of: a bar a cluster, with its images."""
    rows = table(surveys, "clusters")
    rows = rows[rows["partition"] == partition.name]
    figure = Figure(figsize=(3.4 * len(_METHODS), 1.7 * len(surveys) + 1.1), layout="constrained")
    places = figure.subplots(len(surveys), len(_METHODS), squeeze=False)
    for line, one in zip(places, surveys, strict=True):
        for axes, (method, title) in zip(line, _METHODS.items(), strict=True):
            part = rows[(rows["run"] == one.run) & (rows["method"] == method)]
            _bars(axes, part, partition.values)
            ami = one.numbers[f"ami_{partition.name}_{method}"]
            axes.set_title(f"{one.run}, {title}: AMI {ami:.2f}", fontsize=7)
    handles = [
        Line2D([], [], color=f"C{number % 10}", lw=6, label=value)
        for number, value in enumerate(partition.values)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=7)
    title = f"What clusters are made of, by {partition.name}; their number by silhouette"
    _save(figure, title, subtitle, path)


def _bars(axes: Axes, rows: pd.DataFrame, values: Sequence[str]) -> None:
    shares = rows.pivot_table(index="cluster", columns="value", values="share", sort=True)
    counts = rows.groupby("cluster")["count"].sum()
    left = np.zeros(len(shares))
    for number, value in enumerate(values):
        part = 100 * shares[value].to_numpy()
        axes.barh(shares.index, part, left=left, color=f"C{number % 10}", height=0.8)
        left += part
    for cluster, count in zip(counts.index.tolist(), counts.tolist(), strict=True):
        axes.text(101, cluster, f"{count}", va="center", fontsize=6)
    axes.set(xlim=(0, 112), yticks=list(shares.index), xlabel="%")
    axes.invert_yaxis()
    axes.tick_params(labelsize=6)
    axes.xaxis.label.set_fontsize(6)


def order(
    surveys: Sequence[Survey], partitions: Sequence[Partition], subtitle: str, path: Path
) -> None:
    """By which partition the space is ordered: three measures of each, with intervals."""
    figure = Figure(figsize=(4.0 * len(_TOLD), 3.4), layout="constrained")
    width = 0.8 / len(partitions)
    for place, (key, title) in enumerate(_TOLD.items()):
        axes = figure.add_subplot(1, len(_TOLD), place + 1)
        for number, partition in enumerate(partitions):
            name = f"{key}_{partition.name}"
            at = np.arange(len(surveys)) + (number - (len(partitions) - 1) / 2) * width
            values = np.array([one.numbers[name] for one in surveys])
            low, high = (
                np.array([one.numbers[f"{name}_{end}"] for one in surveys])
                for end in ("low", "high")
            )
            axes.bar(at, values, width, color=f"C{number}", label=partition.name)
            bars = np.maximum([values - low, high - values], 0)
            axes.errorbar(at, values, bars, fmt="none", color="black", capsize=2, lw=0.8)
            if key != "ami":
                chance = surveys[0].numbers[f"chance_{partition.name}"]
                axes.axhline(chance, color=f"C{number}", ls=":", lw=1)
        axes.set_xticks(range(len(surveys)), [one.run for one in surveys], rotation=40, ha="right")
        axes.tick_params(labelsize=7)
        axes.axhline(0, color="black", lw=0.6)
        axes.set_title(title + ("" if key == "ami" else ", balanced accuracy"), fontsize=8)
        axes.set_ylim(None, 1.02)
        axes.grid(alpha=0.3, axis="y")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    names = " or ".join(partition.name for partition in partitions)
    title = f"Ordered by {names}? Bars of 95 %; dotted: chance"
    _save(figure, title, subtitle, path)


def prior(surveys: Sequence[Survey], subtitle: str, path: Path) -> None:
    """The aggregate code against the prior: energy distances, and latents that are not normal."""
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (name, label) in enumerate(
        (("prior", "as it is"), ("shape", "each latent standardised"))
    ):
        at = np.arange(len(surveys)) + (number - 0.5) * 0.4
        values, low, high = (
            np.array([one.numbers[f"energy_{name}{end}"] for one in surveys])
            for end in ("", "_low", "_high")
        )
        left.bar(at, values, 0.4, color=f"C{number}", label=label)
        bars = np.maximum([values - low, high - values], 0)
        left.errorbar(at, values, bars, fmt="none", color="black", capsize=2, lw=0.8)
    left.set_title("energy distance to N(0, I), 0 to 1", fontsize=8)
    left.legend(frameon=False, fontsize=7)
    shares = [100 * one.numbers.get("not_normal_latents", np.nan) for one in surveys]
    right.bar(range(len(surveys)), shares, 0.6, color="C2")
    right.set_title("latents that are not normal (%)", fontsize=8)
    right.set_ylim(0, 100)
    for axes in (left, right):
        axes.set_xticks(range(len(surveys)), [one.run for one in surveys], rotation=40, ha="right")
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3, axis="y")
    _save(figure, "Is the aggregate code distributed as the prior?", subtitle, path)


def atlas(one: Survey, store: Store, partition: Partition, cells: int, path: Path) -> None:
    """Every map of a run: above its images, below their labels with the vectors between them."""
    figure = Figure(figsize=(6.4 * len(one.maps), 12.6), layout="constrained")
    images, labels = store.images[one.mapped], partition.numbers[one.mapped]
    for number, laid in enumerate(one.maps):
        shown = figure.add_subplot(2, len(one.maps), number + 1)
        sorted_ = figure.add_subplot(2, len(one.maps), len(one.maps) + number + 1)
        for row, x, y in projections.thumbnails(images, laid.places, cells):
            picture = images[row]
            picture = picture if picture.shape[2] == 3 else np.repeat(picture, 3, axis=2)
            zoom = 400 / cells / max(picture.shape[:2])
            box = OffsetImage(picture, zoom=zoom)
            shown.add_artist(AnnotationBbox(box, (x, y), frameon=False, pad=0))
        for label, value in enumerate(partition.values):
            there = laid.places[labels == label]
            sorted_.scatter(there[:, 0], there[:, 1], s=9, color=f"C{label % 10}", label=value)
        middle, ends = projections.class_vectors(laid.places, labels)
        for label, end in ends.items():
            sorted_.annotate(
                "",
                (end[0], end[1]),
                (middle[0], middle[1]),
                arrowprops={
                    "arrowstyle": "simple",
                    "fc": f"C{label % 10}",
                    "ec": "black",
                    "lw": 0.8,
                },
                zorder=5,
            )
        sorted_.legend(frameon=False, fontsize=7)
        for axes in (shown, sorted_):
            _frame(axes, laid)
            axes.set_title(f"{laid.name}: trustworthiness {laid.trust:.2f}", fontsize=9)
    figure.suptitle(
        f"Maps of {len(one.mapped)} validation images; arrows: from the middle of all to that of "
        f"each {partition.name}\n{one.title}",
        fontsize=8,
    )
    save_figure(path, figure)


def _frame(axes: Axes, laid: projections.Map) -> None:
    low, high = laid.places.min(0), laid.places.max(0)
    edge = 0.04 * np.maximum(high - low, 1e-9)
    axes.set_xlim(low[0] - edge[0], high[0] + edge[0])
    axes.set_ylim(low[1] - edge[1], high[1] + edge[1])
    axes.set(xticks=[], yticks=[])


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.4 * columns, height * rows + 0.6), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _save(figure: Figure, title: str, subtitle: str, path: Path) -> None:
    figure.suptitle(f"{title}\n{subtitle}", fontsize=8)
    save_figure(path, figure)
