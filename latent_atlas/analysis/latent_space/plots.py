"""Plots of latent spaces: variance, clusters, partitions, distance to the prior, projections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from latent_atlas.analysis.latent_space.projections import Projection, class_vectors, thumbnails
from latent_atlas.analysis.latent_space.summary import (
    ALL,
    LatentSpaceSummary,
    Partition,
    joint_table,
)
from latent_atlas.data.store import Store
from latent_atlas.plots.grid import save_figure

_CLUSTERINGS = {"k_means": "k-means", "spectral": "spectral", "mixture": "Gaussian mixture"}
_MEASURES = {"ami": "AMI of k-means", "knn": "nearest neighbours", "probe": "linear probe"}


def plot_latent_spaces(
    summaries: Sequence[LatentSpaceSummary],
    store: Store,
    partitions: Sequence[Partition],
    thumbnails: int,
    subtitle: str,
    out: Path,
    images: Path,
) -> None:
    """Write all plots.

    Args:
        summaries: of the runs, in the order of the panels.
        store: the images that all of them were trained on.
        partitions: those of the summaries.
        thumbnails: largest number of images along each side of a map.
        subtitle: names data and parameters.
        out: folder of the plots without images.
        images: folder of the maps, which show images.
    """
    plot_components(summaries, subtitle, out / "components.png")
    for partition in partitions:
        plot_clusters(summaries, partition, subtitle, out / f"clusters_{partition.name}.png")
    plot_partitions(summaries, partitions, subtitle, out / "partitions.png")
    plot_prior(summaries, subtitle, out / "prior.png")
    for summary in summaries:
        path = images / f"map_{summary.run}.png"
        plot_projections(summary, store, partitions[0], thumbnails, path)


def plot_components(summaries: Sequence[LatentSpaceSummary], subtitle: str, path: Path) -> None:
    """Share of variance per component: all runs together, then each run with its styles."""
    rows = joint_table(summaries, "components")
    figure, panels = _panels(len(summaries) + 1, 3.0)
    for number, summary in enumerate(summaries):
        part = rows[(rows["run"] == summary.run) & (rows["style"] == ALL)]
        panels[0].plot(part["component"], 100 * part["share"], marker="o", ms=3, label=summary.run)
        panels[0].set_title("all images of each run", fontsize=8)
        own = rows[rows["run"] == summary.run]
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
        panels[number + 1].set_title(summary.run, fontsize=8)
    for axes in panels:
        axes.set(xlabel="principal component", ylabel="share of variance (%)")
        axes.set_ylim(0, None)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=6)
    _save(figure, "Share of variance in the first principal components", subtitle, path)


def plot_clusters(
    summaries: Sequence[LatentSpaceSummary], partition: Partition, subtitle: str, path: Path
) -> None:
    """Composition of the clusters of each run and method: a bar per cluster, with its size."""
    rows = joint_table(summaries, "clusters")
    rows = rows[rows["partition"] == partition.name]
    figure = Figure(
        figsize=(3.4 * len(_CLUSTERINGS), 1.7 * len(summaries) + 1.1), layout="constrained"
    )
    places = figure.subplots(len(summaries), len(_CLUSTERINGS), squeeze=False)
    for line, summary in zip(places, summaries, strict=True):
        for axes, (method, title) in zip(line, _CLUSTERINGS.items(), strict=True):
            part = rows[(rows["run"] == summary.run) & (rows["method"] == method)]
            _bars(axes, part, partition.values)
            ami = summary.numbers[f"ami_{partition.name}_{method}"]
            axes.set_title(f"{summary.run}, {title}: AMI {ami:.2f}", fontsize=7)
    handles = [
        Line2D([], [], color=f"C{number % 10}", lw=6, label=value)
        for number, value in enumerate(partition.values)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=7)
    title = f"Composition of clusters by {partition.name}; number of clusters by silhouette"
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


def plot_partitions(
    summaries: Sequence[LatentSpaceSummary],
    partitions: Sequence[Partition],
    subtitle: str,
    path: Path,
) -> None:
    """Agreement of the codes with each partition: three measures, with intervals."""
    figure = Figure(figsize=(4.0 * len(_MEASURES), 3.4), layout="constrained")
    width = 0.8 / len(partitions)
    for place, (key, title) in enumerate(_MEASURES.items()):
        axes = figure.add_subplot(1, len(_MEASURES), place + 1)
        for number, partition in enumerate(partitions):
            name = f"{key}_{partition.name}"
            at = np.arange(len(summaries)) + (number - (len(partitions) - 1) / 2) * width
            values = np.array([summary.numbers[name] for summary in summaries])
            low, high = (
                np.array([summary.numbers[f"{name}_{end}"] for summary in summaries])
                for end in ("low", "high")
            )
            axes.bar(at, values, width, color=f"C{number}", label=partition.name)
            bars = np.maximum([values - low, high - values], 0)
            axes.errorbar(at, values, bars, fmt="none", color="black", capsize=2, lw=0.8)
            if key != "ami":
                chance = summaries[0].numbers[f"chance_{partition.name}"]
                axes.axhline(chance, color=f"C{number}", ls=":", lw=1)
        axes.set_xticks(
            range(len(summaries)), [summary.run for summary in summaries], rotation=40, ha="right"
        )
        axes.tick_params(labelsize=7)
        axes.axhline(0, color="black", lw=0.6)
        axes.set_title(title + ("" if key == "ami" else ", balanced accuracy"), fontsize=8)
        axes.set_ylim(None, 1.02)
        axes.grid(alpha=0.3, axis="y")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=8)
    names = " and with ".join(partition.name for partition in partitions)
    title = f"Agreement of the codes with {names}; 95 % intervals, dotted: chance"
    _save(figure, title, subtitle, path)


def plot_prior(summaries: Sequence[LatentSpaceSummary], subtitle: str, path: Path) -> None:
    """Aggregate posterior against the prior: energy distances, and share of non-normal latents."""
    figure = Figure(figsize=(8.6, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (name, label) in enumerate(
        (("prior", "unchanged"), ("standardised", "each latent standardised"))
    ):
        at = np.arange(len(summaries)) + (number - 0.5) * 0.4
        values, low, high = (
            np.array([summary.numbers[f"energy_{name}{end}"] for summary in summaries])
            for end in ("", "_low", "_high")
        )
        left.bar(at, values, 0.4, color=f"C{number}", label=label)
        bars = np.maximum([values - low, high - values], 0)
        left.errorbar(at, values, bars, fmt="none", color="black", capsize=2, lw=0.8)
    left.set_title("energy distance to N(0, I), 0 to 1", fontsize=8)
    left.legend(frameon=False, fontsize=7)
    shares = [100 * summary.numbers.get("not_normal_latents", np.nan) for summary in summaries]
    right.bar(range(len(summaries)), shares, 0.6, color="C2")
    right.set_title("latents not normally distributed (%)", fontsize=8)
    right.set_ylim(0, 100)
    for axes in (left, right):
        axes.set_xticks(
            range(len(summaries)), [summary.run for summary in summaries], rotation=40, ha="right"
        )
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3, axis="y")
    _save(figure, "Aggregate posterior against the prior", subtitle, path)


def plot_projections(
    summary: LatentSpaceSummary, store: Store, partition: Partition, cells: int, path: Path
) -> None:
    """All projections of a run: images above; labels below, with arrows to their mean positions."""
    figure = Figure(figsize=(6.4 * len(summary.projections), 12.6), layout="constrained")
    images, labels = store.images[summary.projected_rows], partition.numbers[summary.projected_rows]
    for number, projection in enumerate(summary.projections):
        pictured = figure.add_subplot(2, len(summary.projections), number + 1)
        labelled = figure.add_subplot(
            2, len(summary.projections), len(summary.projections) + number + 1
        )
        for row, x, y in thumbnails(images, projection.positions, cells):
            image = images[row]
            image = image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)
            zoom = 400 / cells / max(image.shape[:2])
            box = OffsetImage(image, zoom=zoom)
            pictured.add_artist(AnnotationBbox(box, (x, y), frameon=False, pad=0))
        for label, value in enumerate(partition.values):
            members = projection.positions[labels == label]
            labelled.scatter(members[:, 0], members[:, 1], s=9, color=f"C{label % 10}", label=value)
        mean, ends = class_vectors(projection.positions, labels)
        for label, end in ends.items():
            labelled.annotate(
                "",
                (end[0], end[1]),
                (mean[0], mean[1]),
                arrowprops={
                    "arrowstyle": "simple",
                    "fc": f"C{label % 10}",
                    "ec": "black",
                    "lw": 0.8,
                },
                zorder=5,
            )
        labelled.legend(frameon=False, fontsize=7)
        for axes in (pictured, labelled):
            _frame(axes, projection)
            axes.set_title(f"{projection.name}: trustworthiness {projection.trust:.2f}", fontsize=9)
    figure.suptitle(
        f"Projections of {len(summary.projected_rows)} validation images; arrows: from the mean of "
        f"all images to that of each {partition.name}\n{summary.title}",
        fontsize=8,
    )
    save_figure(path, figure)


def _frame(axes: Axes, projection: Projection) -> None:
    low, high = projection.positions.min(0), projection.positions.max(0)
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
