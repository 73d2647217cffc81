"""What came out of a study: every cell in a CSV, and its tables beside the published ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from latent_atlas.data.neighbour_table import Neighbours
from latent_atlas.data.store import Store
from latent_atlas.studies.plan import STUDIES, Cell, Scale, Study
from latent_atlas.studies.published import read_table
from latent_atlas.util.files import write_bytes, write_json

PUBLISHED_TERMS = {
    "train_generation": "train_reconstruction",
    "valid_generation": "valid_reconstruction",
    "train_latent": "train_kl",
    "valid_latent": "valid_kl",
}
"""Column of a published table → our term. The thesis calls the reconstruction loss "generation
loss" and the KL "latent loss"; both are in nats per image, means of the last five epochs."""

TERMS = tuple(PUBLISHED_TERMS.values())

PUBLISHED = ("table", "data", "model", "beta", "latent_dim", *PUBLISHED_TERMS)
CONDITION = ("data", "model", "network", "likelihood", "beta", "latent_dim", "knobs")
CELL = (*CONDITION[:-1], "seed", "epochs", "knobs")

QUALITY = {"psnr": "PSNR (dB)", "ssim": "SSIM", "active_latents": "active latents", "mig": "MIG"}
"""What a table shows beside the losses; the mutual information gap only where factors are known."""

JUDGED = "valid_reconstruction_last5"
"""What is compared with the published figures: they give the latent loss without its factor ½."""


@dataclass(frozen=True)
class Outcome:
    """What `write` is about.

    Attributes:
        name, scale: of the study.
        study: its file.
        cells: the whole grid.
        stores: the images by the name of the data set.
        results: a row a finished cell, `CELL` and then the numbers of `measure.measure`.
        published: rows of `PUBLISHED`, or none.
        neighbours: of the quadrants of each data set, where the study asks for any.
    """

    name: str
    scale: Scale
    study: Study
    cells: Sequence[Cell]
    stores: Mapping[str, Store]
    results: pd.DataFrame
    published: pd.DataFrame
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)

    def size(self, data: str, *tables: str) -> str:
        """How much a cell of `data`, or of some tables of it, was trained on, in words."""
        rows = len(self.stores[data].rows("train"))
        epochs = sorted(
            {
                cell.run.epochs
                for cell in self.cells
                if cell.run.data == data and (not tables or set(tables) & set(cell.tables))
            }
        )
        return f"{rows:,} training images, {' or '.join(map(str, epochs))} epochs"

    def numbers(self) -> list[str]:
        """The columns of `results` that were measured."""
        return [str(name) for name in self.results if name not in CELL]

    def summary(self) -> pd.DataFrame:
        """A row a condition that has finished cells: means and sample sd over their seeds.

        Returns:
            `CONDITION`, ``seeds`` (how many), ``active_latents`` and each column of losses as mean,
            and with the suffix ``_sd`` the standard deviation (NaN for one seed).
        """
        numbers = self.numbers()
        groups = self.results.groupby(list(CONDITION), sort=True)
        columns: dict[str, Any] = {"seeds": groups.size()}
        for name in numbers:
            columns[name] = groups[name].mean()
            columns[f"{name}_sd"] = groups[name].std(ddof=1)
        return pd.DataFrame(columns).reset_index()


def tidy(cells: Sequence[Cell], values: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """A row for each cell that has `values`, which go by the names of the runs."""
    rows = [_names(cell) | dict(values[cell.run.name]) for cell in cells if cell.run.name in values]
    return pd.DataFrame(rows, columns=None if rows else list(CELL))


def _names(cell: Cell) -> dict[str, Any]:
    """The columns `CELL` of a cell."""
    own = cell.run.model_dump(include=set(CELL)) | {"knobs": cell.knobs}
    return {name: own[name] for name in CELL}


def read_published(name: str) -> pd.DataFrame:
    """``studies/<name>/published.csv``, a row a published cell; no rows where there is no file.

    Raises:
        UserError: as of `read_table`.
    """
    return read_table(
        STUDIES / name / "published.csv",
        PUBLISHED[:3],
        PUBLISHED[3:],
        key=("table", "beta", "latent_dim"),
        whole=("latent_dim",),
    ).rename(columns=PUBLISHED_TERMS)


def beside(outcome: Outcome) -> pd.DataFrame:
    """The grid of every table, with our means and the published figures.

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
            "knobs": table.knobs(outcome.scale),
            "beta": float(beta),
            "latent_dim": latent_dim,
        }
        for number, table in outcome.study.tables.items()
        for beta in table.beta
        for latent_dim in table.latent_dim
    ]
    theirs = outcome.published.drop(columns=["model"]).rename(
        columns={name: f"published_{name}" for name in ("data", *TERMS)}
    )
    rows = pd.DataFrame(grid).merge(outcome.summary(), how="left", on=list(CONDITION))
    theirs["beta"] = theirs["beta"].astype(float)
    theirs["latent_dim"] = theirs["latent_dim"].astype(int)
    return rows.merge(theirs, how="left", on=["table", "beta", "latent_dim"])


def verdict(rows: pd.DataFrame) -> tuple[int, int]:
    """In how many conditions our loss is at most the published one, and of how many.

    Counts each condition once, in however many tables it stands, and only where both are known and
    of the same data set.
    """
    if JUDGED not in rows:
        return 0, 0
    same = rows[rows["data"] == rows["published_data"]].drop_duplicates(list(CONDITION))
    known = same.dropna(subset=[JUDGED, "published_valid_reconstruction"])
    return int((known[JUDGED] <= known["published_valid_reconstruction"]).sum()), len(known)


def write(outcome: Outcome, folder: Path) -> None:
    """Write ``results.csv``, ``metrics.json`` and ``table.md`` into `folder`."""
    csv = outcome.results.to_csv(index=False)
    write_bytes(folder / "results.csv", csv.encode())
    rows = beside(outcome)
    write_json(folder / "metrics.json", _metrics(outcome, rows))
    write_bytes(folder / "table.md", _markdown(outcome, rows).encode())


def _metrics(outcome: Outcome, rows: pd.DataFrame) -> dict[str, Any]:
    """Nested: data set, condition, metric; rounded to what repeats."""
    low, known = verdict(rows)
    metrics: dict[str, Any] = {
        "cells": {"all": len(outcome.cells), "finished": len(outcome.results)},
        "at_most_published": {"conditions": low, "of": known},
    }
    summary = outcome.summary()
    plain = ["data", "beta", "latent_dim"]
    shared = summary.duplicated(plain, keep=False)
    for (_, row), several in zip(summary.iterrows(), shared, strict=True):
        condition = f"beta {row['beta']:g} latent_dim {row['latent_dim']}"
        if several:
            parts = [row["model"], row["network"], row["likelihood"], row["knobs"]]
            condition = " ".join([*filter(None, parts), condition])
        metrics.setdefault(row["data"], {})[condition] = {
            name: float(f"{row[name]:.5g}")
            for name in outcome.numbers()
            if math.isfinite(row[name])
        }
    return metrics


def _markdown(outcome: Outcome, rows: pd.DataFrame) -> str:
    lines = [
        f"# {outcome.study.title}",
        "",
        f"Scale: **{outcome.scale}**. {len(outcome.results)} of {len(outcome.cells)} cells are "
        "finished. Losses are nats an image, means of the last five epochs; ours as mean ± sample "
        "standard deviation over seeds. Generation is summed over pixels. The latent losses stand "
        "here without the factor ½ of the Kullback–Leibler divergence, which published ones seem "
        "to lack; `results.csv` has both.",
        "",
        _judgement(outcome, rows),
        "",
    ]
    for number, table in outcome.study.tables.items():
        store, knobs = outcome.stores[table.data], table.knobs(outcome.scale)
        part = rows[rows["table"] == number]
        lines += [
            f"## Table {number}",
            "",
            f"{table.data} ({store.card['source']}): {outcome.size(table.data, number)}; "
            f"{table.model}, {table.network}, {table.likelihood}{f', {knobs}' if knobs else ''}.",
            "",
            *_rows(part, table.data),
            "",
        ]
    return "\n".join(lines)


def _judgement(outcome: Outcome, rows: pd.DataFrame) -> str:
    if "latents" in outcome.study.figures:
        return "The published figures stand beside ours in the tables of latent spaces."
    if "mixing" in outcome.study.figures:
        return "The published figures stand beside ours in the tables of mixed scenes."
    if outcome.published.empty:
        return "The document gives no figures to compare with."
    low, known = verdict(rows)
    if known:
        small = "; the small scale has fewer images and epochs" if outcome.scale == "small" else ""
        return (
            f"In **{low} of {known}** conditions with both figures our validation generation loss "
            f"is at most the published one{small}."
        )
    others = ", ".join(sorted(set(outcome.published["data"]) - set(outcome.stores)))
    if others:
        return (
            f"The published figures are of other images ({others}), so they show the size to "
            "expect and no more."
        )
    return "No condition has both figures yet."


def _rows(part: pd.DataFrame, data: str) -> list[str]:
    others = set(part["published_data"].dropna()) - {data}
    theirs = f"published ({', '.join(sorted(others))})" if others else "published"
    known = bool(part["published_valid_reconstruction"].notna().any())
    head = ["β", "latent size", "seeds"]
    for term in ("valid. reconstruction", "train. reconstruction", "valid. KL", "train. KL"):
        head += [f"{term}: {theirs}", "ours"] if known else [term]
    head += [title for name, title in QUALITY.items() if name in part]
    lines = [f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    return lines + [_row(row, known) for _, row in part.iterrows()]


def _row(row: pd.Series, known: bool) -> str:
    done = pd.notna(row.get("seeds"))
    cells = [f"{row['beta']:g}", f"{row['latent_dim']}", f"{row['seeds']:.0f}" if done else "0"]
    for term in ("valid_reconstruction", "train_reconstruction", "valid_kl", "train_kl"):
        ours = f"{term}_without_half_last5" if term.endswith("kl") else f"{term}_last5"
        published = row[f"published_{term}"]
        cells += [f"{published:g}" if pd.notna(published) else "–"] if known else []
        cells += [_mean(row, ours) if done else "not run"]
    cells += [_mean(row, name) if done else "–" for name in QUALITY if name in row]
    return f"| {' | '.join(cells)} |"


def _mean(row: pd.Series, name: str) -> str:
    """``mean ± sd``, to the digits that the published tables have."""
    mean, sd = row.get(name), row.get(f"{name}_sd")
    if mean is None or pd.isna(mean):
        return "–"
    spread = "" if sd is None or pd.isna(sd) else f" ± {rounded(sd, 2)}"
    return f"{rounded(mean, 4)}{spread}"


def rounded(value: float, digits: int) -> str:
    """A number to so many digits, as tables write it: 510, where ``:.2g`` has 5.1e+02."""
    return f"{float(f'{value:.{digits}g}'):.15g}"
