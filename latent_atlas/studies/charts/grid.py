"""The figures of a study: losses and active latents over its grid, and pictures of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator, NullLocator

from latent_atlas.plots import latent_plane
from latent_atlas.plots.grid import enlargement, save_figure, save_grid
from latent_atlas.studies import plan
from latent_atlas.studies.charts import (
    disentanglement,
    experts,
    interpolation,
    latent_spaces,
    mixing,
    recognition,
    retrieval,
)
from latent_atlas.studies.results import JUDGED, Outcome, beside
from latent_atlas.training.checkpoint import TrainedRun, open_run

PICTURES = "pictures"
"""The folder of the figures that show images, which may not be ours to publish."""

Models = Mapping[str, Path]
"""The checkpoint folders of the finished cells, by the names of their runs."""

_AXES = {"latent_dim": "latent size", "beta": "β"}


def draw(outcome: Outcome, models: Models, folder: Path) -> None:
    """Draw every figure that the study asks for and that finished cells allow."""
    for name in outcome.study.figures:
        _FIGURES[name](outcome, models, folder)


def _reconstruction_loss(outcome: Outcome, models: Models, folder: Path) -> None:
    """Validation generation loss over latent size and over β, for each data set."""
    rows = beside(outcome).drop_duplicates(["data", "beta", "latent_dim"])
    if JUDGED not in rows:
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
            _curve(axes, curve, x, JUDGED, colour, f"{_AXES[line]} {value:g}")
            theirs = curve.dropna(subset=["published_valid_reconstruction"])
            axes.plot(
                theirs[x],
                theirs["published_valid_reconstruction"],
                color=colour,
                linestyle="--",
                marker="s",
                markersize=4,
                markerfacecolor="none",
            )
        axes.set(ylabel="valid. reconstruction loss (nats)", yscale="log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter())
        _across(axes, x, part[x], f"{data} ({outcome.size(data, *part['table'])})")
    legend = "mean ± sd over seeds"
    if not outcome.published.empty:
        theirs = ", ".join(sorted(set(outcome.published["data"])))
        legend = f"solid: ours, mean ± sd over seeds; dashed: published ({theirs})"
    _save(figure, outcome, legend, folder / "reconstruction_loss.png")


def _active_latents(outcome: Outcome, models: Models, folder: Path) -> None:
    """Active latents over β, a line a latent size; the number of true factors where known."""
    rows = beside(outcome).drop_duplicates(["data", "beta", "latent_dim"])
    if "active_latents" not in rows:
        return
    rows = rows.dropna(subset=["active_latents"])
    if rows.empty:  # finished are but other kinds of training of the same conditions
        return
    sets = list(dict.fromkeys(rows["data"]))
    figure, places = _panels(len(sets))
    for data, axes in zip(sets, places, strict=True):
        part = rows[rows["data"] == data]
        for value, colour in _colours(part["latent_dim"]).items():
            curve = part[part["latent_dim"] == value].sort_values("beta")
            _curve(axes, curve, "beta", "active_latents", colour, f"latent size {value:g}")
        factors = len(outcome.stores[data].card["factors"])
        if factors:
            axes.axhline(factors, color="0.4", linestyle=":", label=f"true factors: {factors}")
        axes.set(ylabel="active latents", ylim=(0, None))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _across(axes, "beta", part["beta"], f"{data} ({outcome.size(data, *part['table'])})")
    threshold = outcome.study.active_threshold
    legend = f"active: the posterior mean varies by more than {threshold:g}"
    _save(figure, outcome, legend, folder / "active_latents.png")


def _reconstructions(outcome: Outcome, models: Models, folder: Path) -> None:
    """For each data set with classes: an image of each, and its reconstruction at each size."""
    for data, runs in _first_seed(outcome, models).items():
        store = outcome.stores[data]
        valid, labels = store.rows("valid"), store.labels()[store.rows("valid")]
        there = [number for number in range(len(store.classes)) if (labels == number).any()]
        if not there:
            continue
        rows = [
            latent_plane.choose(valid[labels == number], 1, outcome.study.seed)[0]
            for number in there
        ]
        images = store.images[np.asarray(rows)]
        parts = [images, *(run.decode(run.encode(images)) for run in runs)]
        first = runs[0].run
        save_grid(
            folder / PICTURES / f"{data}_reconstructions.png",
            np.stack(parts, axis=1).reshape(-1, *store.shape),
            columns=len(parts),
            title=f"A validation image of each class and its reconstruction at each latent size · "
            f"{first.model} ({first.network}, {first.likelihood}), β {first.beta:g}, seed "
            f"{first.seed} · {outcome.size(data)} · {store.card['source']}",
            column_labels=["input", *(f"{run.run.latent_dim}" for run in runs)],
            row_labels=[store.classes[number] for number in there],
            enlarge=enlargement(*store.shape[:2], target=64),
        )


def _mesh(outcome: Outcome, models: Models, folder: Path) -> None:
    for data, run in _planes(outcome, models):
        settings = outcome.study.plane
        assert settings is not None  # noqa: S101 - the schema asks for it
        path = folder / PICTURES / f"{data}_mesh.png"
        latent_plane.mesh(run, outcome.stores[data], settings.mesh, settings.traversal, path)


def _scatter(outcome: Outcome, models: Models, folder: Path) -> None:
    for data, run in _planes(outcome, models):
        settings = outcome.study.plane
        assert settings is not None  # noqa: S101
        latent_plane.scatter(
            run, outcome.stores[data], settings.scatter, folder / f"{data}_scatter.png"
        )


def _recognition(outcome: Outcome, models: Models, folder: Path) -> None:
    for data, runs in _first_seed(outcome, models).items():
        recognition.draw(runs, outcome.stores[data], outcome.study.title, folder)


def _retrieval(outcome: Outcome, models: Models, folder: Path) -> None:
    for data, runs in _first_seed(outcome, models).items():
        retrieval.draw(runs, outcome.stores[data], outcome.study.title, folder)


def _latents(outcome: Outcome, models: Models, folder: Path) -> None:
    """The latent spaces of the first run of each model, on each data set."""
    settings = outcome.study.cartography
    assert settings is not None  # noqa: S101 - the schema asks for it
    for data, store in outcome.stores.items():
        if first := _first_of_each_model(outcome, models, data):
            runs = [open_run(path) for path in first.values()]
            published = plan.STUDIES / outcome.name
            seed, title = outcome.study.seed, outcome.study.title
            latent_spaces.write(runs, store, settings, seed, title, published, folder)


def _walks(outcome: Outcome, models: Models, folder: Path) -> None:
    """The paths through the latent space of the first run of each model, on each data set."""
    asked = plan.walks(outcome.study, outcome.scale)
    assert asked is not None  # noqa: S101 - the schema asks for it
    for data, store in outcome.stores.items():
        if first := _first_of_each_model(outcome, models, data):
            interpolation.write(first, store, asked, outcome.study.title, folder, folder / PICTURES)


def _mixing(outcome: Outcome, models: Models, folder: Path) -> None:
    """The mixed scenes of every table's first run, beside the published ablation."""
    asked = plan.mixes(outcome.study, outcome.scale)
    assert asked is not None  # noqa: S101 - the schema asks for it
    mixing.write(outcome, asked, models, folder, folder / PICTURES)


def _first_of_each_model(outcome: Outcome, models: Models, data: str) -> dict[str, Path]:
    """Model → checkpoint folder of its first finished cell on a data set."""
    first: dict[str, Path] = {}
    for cell in outcome.cells:
        if cell.run.data == data and cell.run.name in models:
            first.setdefault(cell.run.model, models[cell.run.name])
    return first


def _experts(outcome: Outcome, models: Models, folder: Path) -> None:
    """At each latent size that the models of all classes and of every single one have."""
    found = _first_seed(outcome, models)
    single: dict[int, dict[str, TrainedRun]] = {}
    for data, runs in found.items():
        classes = outcome.stores[data].classes
        for run in runs if len(classes) == 1 else []:
            single.setdefault(run.run.latent_dim, {})[classes[0]] = run
    for data, runs in found.items():
        store = outcome.stores[data]
        for run in runs if len(store.classes) > 1 else []:
            there = single.get(run.run.latent_dim, {})
            if set(store.classes) <= set(there):
                experts.draw(run, there, store, outcome.study.title, folder)


def _planes(outcome: Outcome, models: Models) -> list[tuple[str, TrainedRun]]:
    """The first run with two latents of each data set that has one."""
    found = []
    for data, runs in _first_seed(outcome, models).items():
        two = [run for run in runs if run.run.latent_dim == 2]
        found += [(data, two[0])] if two else []
    return found


def _first_seed(outcome: Outcome, models: Models) -> dict[str, list[TrainedRun]]:
    """Finished runs with seed 0 that differ in nothing but latent size, by data set and that size.

    They are of the model, β and knobs of the data set's first finished cell, so that a title that
    names those of one is true of all.
    """
    kinds: dict[str, tuple[object, ...]] = {}
    found: dict[str, dict[int, TrainedRun]] = {}
    for cell in outcome.cells:
        run = cell.run
        if run.name not in models or run.seed != 0:
            continue
        kind = (run.model, run.network, run.likelihood, run.beta, cell.knobs)
        if kinds.setdefault(run.data, kind) == kind:
            found.setdefault(run.data, {})[run.latent_dim] = open_run(models[run.name])
    return {data: [runs[size] for size in sorted(runs)] for data, runs in found.items()}


def _colours(values: pd.Series) -> dict[Any, Any]:
    """A colour for each value, dark for small ones."""
    ordered = sorted(set(values))
    shades = colormaps["viridis"](np.linspace(0, 0.85, len(ordered)))
    return dict(zip(ordered, shades, strict=True))


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, two a row."""
    rows, columns = -(-count // 2), min(count, 2)
    figure = Figure(figsize=(5.2 * columns, 3.6 * rows + 0.6), layout="constrained")
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(count)]


def _curve(axes: Axes, rows: pd.DataFrame, x: str, y: str, colour: Any, label: str) -> None:
    """Means with a bar of one sample standard deviation on each side, where there are seeds."""
    known = rows.dropna(subset=[y])
    axes.errorbar(
        known[x],
        known[y],
        yerr=known[f"{y}_sd"].fillna(0),
        color=colour,
        marker="o",
        markersize=4,
        capsize=2,
        label=label,
    )


def _across(axes: Axes, name: str, values: pd.Series, title: str) -> None:
    """The horizontal axis, where doubling takes the same width and β may be 0."""
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


_FIGURES: dict[str, Callable[[Outcome, Models, Path], None]] = {
    "reconstruction_loss": _reconstruction_loss,
    "active_latents": _active_latents,
    "reconstructions": _reconstructions,
    "mesh": _mesh,
    "scatter": _scatter,
    "recognition": _recognition,
    "experts": _experts,
    "retrieval": _retrieval,
    "disentanglement": disentanglement.draw,
    "latents": _latents,
    "walks": _walks,
    "mixing": _mixing,
}
