"""Results of a study: all cells as CSV, and its tables beside the published ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Store
from latent_atlas.studies.grid import Cell
from latent_atlas.studies.plan import STUDIES, Scale, Study
from latent_atlas.studies.published import read_table
from latent_atlas.util.files import write_bytes, write_json

PICTURES = "pictures"
"""Folder of the charts that show images, whose licence may forbid to publish them."""

PUBLISHED_TERMS = {
    "train_generation": "train_reconstruction",
    "valid_generation": "valid_reconstruction",
    "train_latent": "train_kl",
    "valid_latent": "valid_kl",
}
"""Column of a published table → our term. The thesis calls the reconstruction loss "generation
loss" and the KL "latent loss"; both are in nats per image, means of the last five epochs."""

PUBLISHED = ("table", "data", "model", "beta", "latent_dim", *PUBLISHED_TERMS)
CONDITION = ("data", "model", "network", "likelihood", "beta", "latent_dim", "knobs")
CELL = (*CONDITION[:-1], "seed", "epochs", "knobs")

QUALITY = {"psnr": "PSNR (dB)", "ssim": "SSIM", "active_latents": "active latents", "mig": "MIG"}
"""Metrics that a table shows beside the losses, with their titles; MIG where factors are known."""

COMPARED = "valid_reconstruction_last5"
"""The metric that is compared with the published one; their KL seems to lack its factor ½."""


@dataclass(frozen=True)
class Outcome:
    """All that the results of a study are written from.

    Attributes:
        name: of the study.
        scale: that it ran at.
        study: the contents of its file.
        cells: the whole grid.
        stores: data set → images.
        results: a row per finished cell, `CELL` and then its metrics.
        published: the published table with our terms; it may have no rows.
        models: run → checkpoint folder, for the finished cells.
        neighbours: data set → neighbours of its tiles, if the study has any.
    """

    name: str
    scale: Scale
    study: Study
    cells: Sequence[Cell]
    stores: Mapping[str, Store]
    results: pd.DataFrame
    published: pd.DataFrame
    models: Mapping[str, Path] = field(default_factory=dict)
    neighbours: Mapping[str, NeighbourTable] = field(default_factory=dict)

    def size(self, data: str, *tables: str) -> str:
        """Training images and epochs of the cells of `data`, or of some of its tables, in words."""
        rows = len(self.stores[data].rows("train"))
        epochs = sorted(
            {
                cell.run.epochs
                for cell in self.cells
                if cell.run.data == data and (not tables or set(tables) & set(cell.tables))
            }
        )
        return f"{rows:,} training images, {' or '.join(map(str, epochs))} epochs"

    def metrics(self) -> list[str]:
        """The columns of `results` that were measured."""
        return [str(name) for name in self.results if name not in CELL]

    def summary(self) -> pd.DataFrame:
        """Means and sample standard deviations over the seeds of each condition.

        Returns:
            A row per condition that has finished cells: `CONDITION`, ``seeds`` (their number), and
            each metric with its mean, and with the suffix ``_sd`` its standard deviation (NaN for
            one seed).
        """
        groups = self.results.groupby(list(CONDITION), sort=True)
        columns: dict[str, Any] = {"seeds": groups.size()}
        for name in self.metrics():
            columns[name] = groups[name].mean()
            columns[f"{name}_sd"] = groups[name].std(ddof=1)
        return pd.DataFrame(columns).reset_index()


def cell_table(cells: Sequence[Cell], metrics: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """A row for each cell that has `metrics`, by the name of its run."""
    rows = []
    for cell in cells:
        if cell.run.name in metrics:
            condition = cell.run.model_dump(include=set(CELL)) | {"knobs": cell.knobs}
            rows.append({name: condition[name] for name in CELL} | dict(metrics[cell.run.name]))
    return pd.DataFrame(rows, columns=None if rows else list(CELL))


def read_published(name: str) -> pd.DataFrame:
    """Read ``studies/<name>/published.csv``, with our terms; no rows where there is no file.

    Raises:
        UserError: see `read_table`.
    """
    return read_table(
        STUDIES / name / "published.csv",
        PUBLISHED[:3],
        PUBLISHED[3:],
        key=("table", "beta", "latent_dim"),
        whole=("latent_dim",),
    ).rename(columns=PUBLISHED_TERMS)


def compare_with_published(outcome: Outcome) -> pd.DataFrame:
    """The grid of every table, with our means and the published values.

    Returns:
        A row for each cell of each table, in the order of the study's file: ``table``,
        `CONDITION`, our columns as in `Outcome.summary` (NaN where nothing is finished), and the
        published ones as ``published_<term>`` with ``published_data``.
    """
    grid = [
        {
            "table": number,
            "data": table.data,
            "model": table.model,
            "network": table.network,
            "likelihood": table.likelihood,
            "knobs": table.knobs,
            "beta": float(beta),
            "latent_dim": latent_dim,
        }
        for number, table in outcome.study.tables.items()
        for beta in table.beta
        for latent_dim in table.latent_dim
    ]
    published = outcome.published.drop(columns=["model"]).rename(
        columns={name: f"published_{name}" for name in ("data", *PUBLISHED_TERMS.values())}
    )
    published["beta"] = published["beta"].astype(float)
    published["latent_dim"] = published["latent_dim"].astype(int)
    rows = pd.DataFrame(grid).merge(outcome.summary(), how="left", on=list(CONDITION))
    return rows.merge(published, how="left", on=["table", "beta", "latent_dim"])


def count_at_most_published(rows: pd.DataFrame) -> tuple[int, int]:
    """The number of conditions whose loss is at most the published one, and of all compared.

    Each condition counts once, even if several tables contain it, and only where both values are
    known and of the same data set.
    """
    if COMPARED not in rows:
        return 0, 0
    same = rows[rows["data"] == rows["published_data"]].drop_duplicates(list(CONDITION))
    both = same.dropna(subset=[COMPARED, "published_valid_reconstruction"])
    return int((both[COMPARED] <= both["published_valid_reconstruction"]).sum()), len(both)


def write_results(outcome: Outcome, folder: Path) -> None:
    """Write ``results.csv``, ``metrics.json`` and ``table.md`` into `folder`."""
    csv = outcome.results.to_csv(index=False)
    write_bytes(folder / "results.csv", csv.encode())
    rows = compare_with_published(outcome)
    write_json(folder / "metrics.json", _metrics(outcome, rows))
    write_bytes(folder / "table.md", _markdown(outcome, rows).encode())


def _metrics(outcome: Outcome, rows: pd.DataFrame) -> dict[str, Any]:
    """Data set → condition → metric → number, rounded."""
    low, compared = count_at_most_published(rows)
    metrics: dict[str, Any] = {
        "cells": {"all": len(outcome.cells), "finished": len(outcome.results)},
        "at_most_published": {"conditions": low, "of": compared},
    }
    summary = outcome.summary()
    ambiguous = summary.duplicated(["data", "beta", "latent_dim"], keep=False)
    for (_, row), full_name in zip(summary.iterrows(), ambiguous, strict=True):
        condition = f"beta {row['beta']:g} latent_dim {row['latent_dim']}"
        if full_name:
            parts = [row["model"], row["network"], row["likelihood"], row["knobs"]]
            condition = " ".join([*filter(None, parts), condition])
        metrics.setdefault(row["data"], {})[condition] = {
            name: float(f"{row[name]:.5g}")
            for name in outcome.metrics()
            if math.isfinite(row[name])
        }
    return metrics


def _markdown(outcome: Outcome, rows: pd.DataFrame) -> str:
    lines = [
        f"# {outcome.study.title}",
        "",
        f"Scale: **{outcome.scale}**. {len(outcome.results)} of {len(outcome.cells)} cells are "
        "finished. Losses are in nats per image, means of the last five epochs. Ours are mean ± "
        "sample standard deviation over seeds. The reconstruction loss is a sum over pixels. The "
        "KL is given without its factor ½, which the published values seem to lack; `results.csv` "
        "has both.",
        "",
        _comparison(outcome, rows),
        "",
    ]
    for number, table in outcome.study.tables.items():
        source, knobs = outcome.stores[table.data].card["source"], table.knobs
        lines += [
            f"## Table {number}",
            "",
            f"{table.data} ({source}): {outcome.size(table.data, number)}; "
            f"{table.model}, {table.network}, {table.likelihood}{f', {knobs}' if knobs else ''}.",
            "",
            *_rows(rows[rows["table"] == number], table.data),
            "",
        ]
    return "\n".join(lines)


def _comparison(outcome: Outcome, rows: pd.DataFrame) -> str:
    """The comparison with the published values in one sentence."""
    for chart, tables in (("latent_spaces", "latent spaces"), ("mixing", "mixed scenes")):
        if chart in outcome.study.charts:
            return f"The tables of {tables} compare ours with the published values."
    if outcome.published.empty:
        return "The document gives no values to compare with."
    low, compared = count_at_most_published(rows)
    if compared:
        small = "; the small scale has fewer images and epochs" if outcome.scale == "small" else ""
        return (
            f"In **{low} of {compared}** conditions with both values our validation reconstruction "
            f"loss is at most the published one{small}."
        )
    others = ", ".join(sorted(set(outcome.published["data"]) - set(outcome.stores)))
    if others:
        return (
            f"The published values are of other images ({others}): they show the expected "
            "magnitude only."
        )
    return "No condition has both values yet."


def _rows(part: pd.DataFrame, data: str) -> list[str]:
    others = set(part["published_data"].dropna()) - {data}
    published = f"published ({', '.join(sorted(others))})" if others else "published"
    has_published = bool(part["published_valid_reconstruction"].notna().any())
    head = ["β", "latent size", "seeds"]
    for term in ("valid. reconstruction", "train. reconstruction", "valid. KL", "train. KL"):
        head += [f"{term}: {published}", "ours"] if has_published else [term]
    head += [title for name, title in QUALITY.items() if name in part]
    lines = [f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    return lines + [_row(row, has_published) for _, row in part.iterrows()]


def _row(row: pd.Series, has_published: bool) -> str:
    finished = pd.notna(row.get("seeds"))
    seeds = f"{row['seeds']:.0f}" if finished else "0"
    cells = [f"{row['beta']:g}", f"{row['latent_dim']}", seeds]
    for term in ("valid_reconstruction", "train_reconstruction", "valid_kl", "train_kl"):
        ours = f"{term}_without_half_last5" if term.endswith("kl") else f"{term}_last5"
        published = row[f"published_{term}"]
        cells += [f"{published:g}" if pd.notna(published) else "–"] if has_published else []
        cells += [_mean(row, ours) if finished else "not run"]
    cells += [_mean(row, name) if finished else "–" for name in QUALITY if name in row]
    return f"| {' | '.join(cells)} |"


def _mean(row: pd.Series, name: str) -> str:
    """``mean ± sd``, with as many digits as the published tables."""
    mean, sd = row.get(name), row.get(f"{name}_sd")
    if mean is None or pd.isna(mean):
        return "–"
    spread = "" if sd is None or pd.isna(sd) else f" ± {rounded(sd, 2)}"
    return f"{rounded(mean, 4)}{spread}"


def rounded(value: float, digits: int) -> str:
    """A number with `digits` significant digits and no exponent: 510, not 5.1e+02."""
    return f"{float(f'{value:.{digits}g}'):.15g}"
