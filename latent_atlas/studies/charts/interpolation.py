"""Paths between codes of a study's models, side by side (Rich 2021, chapter 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from latent_atlas.analysis.interpolation import experiments, plots
from latent_atlas.analysis.interpolation import tables as summary
from latent_atlas.analysis.interpolation.experiments import Asked
from latent_atlas.analysis.interpolation.interpolate import KINDS
from latent_atlas.analysis.interpolation.style_auc import verdict
from latent_atlas.analysis.interpolation.tables import Joined, group_table, interval
from latent_atlas.data.store import Store
from latent_atlas.studies.cell import WALKS
from latent_atlas.training.checkpoint import open_run
from latent_atlas.util.files import write_bytes

_KINDS = {
    "style": "style loss",
    "off_manifold": "codes from data",
    "off_pictures": "pictures from data",
    "cross_dissolve": "cross-dissolve index",
    "smoothness": "smoothness",
    "length": "length",
}
"""Measures of the table of kinds, with their titles; the first four are compared with a line."""


def write(
    models: Mapping[str, Path],
    store: Store,
    asked: Asked,
    title: str,
    folder: Path,
    pictures: Path,
) -> None:
    """Write ``<data>_walks.md``, CSV tables and figures.

    Args:
        models: model → its checkpoint folder, beside which its cell has left its walks.
        store: the images.
        asked: what was asked of every cell.
        title: of the study.
        folder: for tables and figures.
        pictures: for figures that show images.
    """
    measure = asked.measure()
    out = folder / f"{store.name}_walks"
    separation = experiments.separate(asked, store, measure, out)
    joined = [
        one._replace(run=model)
        for model, path in models.items()
        for one in experiments.load(path.parent / WALKS)
    ]
    groups = group_table(joined, asked.seed)
    write_bytes(out / "groups.csv", groups.to_csv(index=False, float_format="%.4g").encode())
    rows = [
        {"model": model, "kind": kind, **values}
        for model in models
        for kind, values in summary.kind_metrics(joined, model, asked.seed).items()
    ]
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.4g")
    write_bytes(out / "kinds.csv", text.encode())
    titles = {model: _title(open_run(path).run.title()) for model, path in models.items()}
    examples, seed = asked.settings.examples, asked.seed
    plots.draw(joined, titles, measure.title(), examples, seed, out, pictures)

    pairs = next(len(one.pairs.first) for one in joined if one.pairs.experiment == "compared")
    found = verdict(separation)
    lines = [
        f"# {title}: walks between images",
        "",
        f"Validation images of {store.name} ({store.card['source']}); style: {measure.title()}. "
        "In brackets: 95 %, by drawing paths again.",
        "",
        f"{found.text}." if found is not None else "Fewer than two styles: nothing to separate.",
        "",
        *_groups(joined, groups, list(models), asked.seed),
        *_kinds(joined, list(models), pairs, asked.seed),
    ]
    write_bytes(folder / f"{store.name}_walks.md", "\n".join(lines).encode())


def _title(long: str) -> str:
    """A run's title without the name of its cell, which says the same."""
    return long.partition(": ")[2]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)] + [""]


def _groups(
    joined: Sequence[Joined], groups: pd.DataFrame, models: Sequence[str], seed: int
) -> list[str]:
    """The random pairs on straight lines, a row a model."""
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
                str(summary.between_within(list(joined), model, seed)),
                ", ".join(f"{shapes[name]} {name}" for name in summary.SHAPES if name in shapes),
                f"{own['curvature'].min():.2g} to {own['curvature'].max():.2g}",
                f"{index.min():.2f} to {index.max():.2f}",
                str(summary.claim(list(joined), model, seed)),
            ]
        )
    few, many = groups["paths"].min(), groups["paths"].max()
    pairs = f"{few}" if few == many else f"{few} to {many}"
    head = ["model", "style loss within a style", "between two, by that", "groups are"]
    head += ["curvatures", "cross-dissolve indices", "ρ of curvature and index"]
    return [
        "## Random pairs on straight lines",
        "",
        f"{groups['group'].nunique()} groups, of each style and of each two, with {pairs} "
        f"pairs. Style loss is of a step. A horseshoe has a curvature below 0, a "
        "wave one above; ρ is −1 if a horseshoe means transformation and a wave a cross-dissolve.",
        "",
        *_rows(head, rows),
    ]


def _kinds(joined: Sequence[Joined], models: Sequence[str], pairs: int, seed: int) -> list[str]:
    """The kinds of paths on the same pairs, a row a model and kind."""
    rows = []
    for model in models:
        found = summary.kind_metrics(list(joined), model, seed)
        tables = {
            one.kind: one.walk.table
            for one in joined
            if one.run == model and one.pairs.experiment == "compared"
        }
        for kind in KINDS:
            cells = [model if kind == KINDS[0] else "", kind]
            for name in _KINDS:
                cells.append(_cell(found[kind], name, tables[kind][name], seed))
            rows.append(cells)
    return [
        f"## Kinds of paths, the same {pairs} pairs",
        "",
        "Sums over a path; of lines as they are, of the others the change against lines where it "
        "has an interval.",
        "",
        *_rows(["model", "path", *_KINDS.values()], rows),
    ]


def _cell(found: Mapping[str, float], name: str, values: pd.Series, seed: int) -> str:
    if f"{name}_change" not in found:
        mean, low, high = interval(values.to_numpy(), seed)
        return f"{mean:.3g} ({low:.3g} to {high:.3g})"
    change, low, high = (100 * found[f"{name}_change{part}"] for part in ("", "_low", "_high"))
    return f"{change:+.0f} % ({low:+.0f} to {high:+.0f})"
