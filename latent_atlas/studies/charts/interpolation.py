"""Interpolation in the latent spaces of a study's models, side by side (Rich 2021, chapter 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.interpolation import experiments, plots, tables
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.analysis.interpolation.style_auc import validate_style_loss
from latent_atlas.analysis.interpolation.tables import Interpolations, group_table, mean_interval
from latent_atlas.config.schema import Interpolation
from latent_atlas.data.store import Store
from latent_atlas.studies.cell import INTERPOLATION
from latent_atlas.studies.charts.selection import first_run_of_each_model
from latent_atlas.studies.results import PICTURES, Outcome
from latent_atlas.training.checkpoint import open_run
from latent_atlas.util.console import fields_of
from latent_atlas.util.files import write_bytes

_KINDS = {
    "style": "style loss",
    "distance_to_codes": "distance to codes of data",
    "distance_to_images": "distance to images of data",
    "cross_dissolve": "cross-dissolve index",
    "smoothness": "smoothness",
    "length": "length",
}
"""Measures in the table of kinds, with their titles; the first four are compared with lines."""


def draw_interpolation(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_interpolation.md``, and CSV tables and plots in ``<data>_interpolation/``.

    For each data set, they show the first finished cell of each model.
    """
    settings = outcome.study.interpolation
    for data, store in outcome.stores.items():
        models = first_run_of_each_model(outcome, data)
        if settings is not None and models:
            compare_models(models, store, settings, outcome, folder)


def compare_models(
    models: Mapping[str, Path],
    store: Store,
    settings: Interpolation,
    outcome: Outcome,
    folder: Path,
) -> None:
    """Write tables and plots of one data set.

    Args:
        models: model → its checkpoint folder, beside which its cell has saved its curves.
        store: the images.
        settings: of the curves of every cell.
        outcome: of the study.
        folder: for all files.
    """
    seed = outcome.study.seed
    out = folder / f"{store.name}_interpolation"
    with fields_of("interpolation"):
        measure = experiments.load_style_measure(settings, seed)
    aucs = experiments.write_style_auc(settings, seed, store, measure, out)
    parts = [
        part._replace(run=model)
        for model, path in models.items()
        for part in experiments.load_interpolations(path.parent / INTERPOLATION)
    ]
    groups = group_table(parts, seed)
    write_bytes(out / "groups.csv", groups.to_csv(index=False, float_format="%.4g").encode())
    rows = [
        {"model": model, "kind": kind, **values}
        for model in models
        for kind, values in tables.kind_metrics(parts, model, seed).items()
    ]
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.4g")
    write_bytes(out / "kinds.csv", text.encode())
    titles = {model: _title(open_run(path).run.title()) for model, path in models.items()}
    examples = settings.examples
    pictures = folder / PICTURES
    plots.plot_interpolations(parts, titles, measure.title(), examples, seed, out, pictures)

    pairs = next(len(part.pairs.first) for part in parts if part.pairs.experiment == "compared")
    validation = validate_style_loss(aucs)
    lines = [
        f"# {outcome.study.title}: interpolation between images",
        "",
        f"Validation images of {store.name} ({store.card['source']}); style: {measure.title()}. "
        "In brackets: 95 % intervals, by bootstrap over curves.",
        "",
        f"{validation.text}." if validation is not None else "Fewer than two styles: no AUC.",
        "",
        *_groups(parts, groups, list(models), seed),
        *_kinds(parts, list(models), pairs, seed),
    ]
    write_bytes(folder / f"{store.name}_interpolation.md", "\n".join(lines).encode())


def _title(long: str) -> str:
    """A run's title without the name of its cell, which repeats it."""
    return long.partition(": ")[2]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]


def _groups(
    parts: Sequence[Interpolations], groups: pd.DataFrame, models: Sequence[str], seed: int
) -> list[str]:
    """The random pairs on straight lines, a row per model."""
    rows = []
    for model in models:
        own = groups[groups["run"] == model]
        within = own[own["experiment"] == "intra"]["style"].mean()
        shapes = own["shape"].value_counts()
        index = own["cross_dissolve"]
        rows.append(
            [
                model,
                f"{within:.3g}",
                str(tables.between_within_ratio(list(parts), model, seed)),
                ", ".join(f"{shapes[name]} {name}" for name in tables.SHAPES if name in shapes),
                f"{own['curvature'].min():.2g} to {own['curvature'].max():.2g}",
                f"{index.min():.2f} to {index.max():.2f}",
                str(tables.curvature_dissolve_rho(list(parts), model, seed)),
            ]
        )
    few, many = groups["curves"].min(), groups["curves"].max()
    pairs = f"{few}" if few == many else f"{few} to {many}"
    head = ["model", "style loss within a style", "between two, divided by that", "groups"]
    head += ["curvatures", "cross-dissolve indices", "ρ of curvature and index"]
    return [
        "## Random pairs on straight lines",
        "",
        f"{groups['group'].nunique()} groups: each style and each two styles, with {pairs} pairs. "
        "Style loss is per step. The curvature of a horseshoe is below 0, that of a wave above. "
        "ρ is −1 if a horseshoe means transformation and a wave a cross-dissolve.",
        "",
        *_rows(head, rows),
    ]


def _kinds(
    parts: Sequence[Interpolations], models: Sequence[str], pairs: int, seed: int
) -> list[str]:
    """The kinds of curves between the same pairs, a row per model and kind."""
    rows = []
    for model in models:
        metrics = tables.kind_metrics(list(parts), model, seed)
        curves = tables.compared_curves(list(parts), model)
        for kind in KINDS:
            cells = [model if kind == KINDS[0] else "", kind]
            for name in _KINDS:
                cells.append(_cell(metrics[kind], name, curves[kind].table[name], seed))
            rows.append(cells)
    return [
        f"## Kinds of curves, the same {pairs} pairs",
        "",
        "Sums over a curve. Other kinds than lines have the change from lines where it has an "
        "interval.",
        "",
        *_rows(["model", "curve", *_KINDS.values()], rows),
    ]


def _cell(metrics: Mapping[str, float], name: str, values: pd.Series, seed: int) -> str:
    if f"{name}_change" not in metrics:
        mean, low, high = mean_interval(values.to_numpy(), seed)
        return f"{mean:.3g} ({low:.3g} to {high:.3g})"
    change, low, high = (100 * metrics[f"{name}_change{part}"] for part in ("", "_low", "_high"))
    return f"{change:+.0f} % ({low:+.0f} to {high:+.0f})"
