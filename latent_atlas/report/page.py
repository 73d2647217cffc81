"""The report: metrics and pictures of every run and stage in one self-contained HTML file."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from pydantic import Field

from latent_atlas.config.schema import SHOP, Params
from latent_atlas.config.section import Section
from latent_atlas.util.console import UserError

ORDER = (
    "strip",
    "traversal",
    "traversal_red",
    "traversal_green",
    "traversal_blue",
    "factors",
    "classes",
    "mesh",
    "scatter",
    "samples",
    "losses",
)
"""Pictures of a run in reading order; other pictures follow by name."""

PAGE_WIDTH = 1168
"""Width of the text in pixels; wider pictures are shrunk or scrolled."""

COLUMNS = {
    "valid_reconstruction": "reconstruction",
    "explained": "explained",
    "mean_image_loss": "mean image",
    "floor": "floor",
    "valid_kl": "KL",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "active_latents": "active",
    "unused_latents": "unused",
    "mig": "MIG",
}
"""Metrics in the overview, with their headings."""


TRANSLATION = "translation"
"""The kind of the chapters of translation runs: one for each, with the name of the run."""


class Chapter(Section):
    """A chapter about a translation run, or about a stage that covers more than one run.

    See ``chapters.yaml``.

    Attributes:
        kind: name of the stage.
        text: description of the pictures.
        order: patterns of their file names; others follow by name.
    """

    kind: str
    text: str
    order: list[str] = Field(default_factory=list)

    def names(self, params: Params, root: Path) -> list[str]:
        """The parts of ``metrics`` and ``plots`` that it shows, by data sets or runs."""
        names = [self.kind, *(f"{data}-{self.kind}" for data in params.data)]
        if self.kind == TRANSLATION:
            names = list(params.runs.translation)
        return [name for name in names if (root / "plots" / name).is_dir()]


def read_chapters() -> list[Chapter]:
    """The chapters in reading order."""
    text = Path(__file__).with_name("chapters.yaml").read_text(encoding="utf-8")
    return [Chapter.model_validate(chapter) for chapter in yaml.safe_load(text)]


@dataclass(frozen=True)
class Picture:
    """A picture in the report.

    Attributes:
        uri: its bytes as a data URI.
        wide: much wider than the page; shrunk to its width, it could not be read.
    """

    uri: str
    wide: bool


class Cell(NamedTuple):
    """A value in ``metrics.csv`` as it is written there, and its interval; empty if there is none.

    Attributes:
        value: e.g. ``0.10398``, or ``nan``.
        interval: e.g. ``[0.0997, 0.10967]``.
    """

    value: str
    interval: str


@dataclass(frozen=True)
class MetricTable:
    """The values of a stage, a column per row of ``metrics.csv``'s ``run``.

    Attributes:
        columns: names of the runs, or of other things that were measured.
        rows: metric → cell of each column; None where it was not measured.
    """

    columns: list[str]
    rows: dict[str, list[Cell | None]]

    def headline(self, names: Collection[str]) -> MetricTable:
        """The rows of some metrics, and the columns in which any of them was measured."""
        rows = {metric: cells for metric, cells in self.rows.items() if metric in names}
        used = [any(column) for column in zip(*rows.values(), strict=True)]
        return MetricTable(
            list(compress(self.columns, used)),
            {metric: list(compress(cells, used)) for metric, cells in rows.items()},
        )


@dataclass(frozen=True)
class RunSection:
    """A run in the report: its title, its source, its metrics, its pictures by name."""

    name: str
    title: str
    source: str
    metrics: MetricTable
    pictures: dict[str, Picture]

    def value(self, metric: str) -> float | None:
        """A metric of the run; None if it was not measured."""
        cells = self.metrics.rows.get(metric)
        return float(cells[0].value) if cells and cells[0] else None


def render(params: Params, values: dict[str, Any], root: Path) -> str:
    """Render the page as HTML, with every value escaped.

    Args:
        params: validated parameters; the runs appear in their order.
        values: the same parameters as a plain mapping, which the page prints.
        root: folder with ``data``, ``metrics``, ``models`` and ``plots``.

    Raises:
        UserError: if an output of the pipeline is missing.
    """
    environment = Environment(
        loader=PackageLoader("latent_atlas.report"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(
        cards=[_json(root / "data" / name / "card.json") for name in [*params.data, SHOP]],
        sections=[_section(params, name, root) for name in params.latent_run_names()],
        chapters=[
            _chapter(name, chapter, params, root)
            for chapter in read_chapters()
            for name in chapter.names(params, root)
        ],
        columns=COLUMNS,
        parameters=yaml.safe_dump(values, sort_keys=False, allow_unicode=True),
    )


def _chapter(name: str, chapter: Chapter, params: Params, root: Path) -> dict[str, Any]:
    run = params.translation_run(name) if chapter.kind == TRANSLATION else None
    metrics = read_metrics(root, name)
    headline = _json(root / "metrics" / f"{name}.json")
    return {
        "name": name,
        "text": chapter.text if run is None else f"{run.title()}. {chapter.text}",
        "headline": metrics.headline({key for values in headline.values() for key in values}),
        "metrics": metrics,
        "scores": None if run is None else read_scores(root, name),
        "pictures": _pictures(root / "plots" / name, chapter.order),
    }


def read_scores(root: Path, name: str) -> MetricTable:
    """The table ``plots/<name>/scores.csv`` of a translation run: its own scores, and others'.

    A row is a metric of a change. What is not of all changes names the change as well.

    Raises:
        UserError: if it is missing, or has other columns.
    """

    def key(line: dict[str, str]) -> tuple[str, str]:
        of_all = line["attribute"] == "all"
        metric = line["metric"] if of_all else f"{line['attribute']}: {line['metric']}"
        return line["model"], metric

    return _read_table(root / "plots" / name / "scores.csv", key)


def read_metrics(root: Path, name: str) -> MetricTable:
    """The table ``plots/<name>/metrics.csv``, which `metrics.writing.write_metrics` writes.

    Raises:
        UserError: if it is missing, or has other columns.
    """
    path = root / "plots" / name / "metrics.csv"
    return _read_table(path, lambda line: (line["run"], line["metric"]))


def _read_table(path: Path, key: Callable[[dict[str, str]], tuple[str, str]]) -> MetricTable:
    """A CSV with ``value``, ``low`` and ``high``; `key` gives column and row of each line."""
    try:
        lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        cells = {
            key(line): Cell(
                line["value"], f"[{line['low']}, {line['high']}]" if line["low"] else ""
            )
            for line in lines
        }
    except FileNotFoundError:
        raise UserError(f"{path}: missing; make it with `dvc repro`") from None
    except KeyError as error:
        raise UserError(f"{path}: found no column {error}; make it with `dvc repro`") from None
    columns = list(dict.fromkeys(run for run, _ in cells))
    names = dict.fromkeys(metric for _, metric in cells)
    rows = {metric: [cells.get((run, metric)) for run in columns] for metric in names}
    return MetricTable(columns, rows)


def _pictures(folder: Path, order: Sequence[str]) -> dict[str, Picture]:
    """The pictures of a folder by name, in the order of the patterns `order`."""
    paths = sorted(
        folder.glob("*.png"), key=lambda path: (_rank(path.stem, order), _natural_key(path.stem))
    )
    if not paths:
        raise UserError(f"{folder}: found no picture; make it with `dvc repro`")
    return {path.stem: Picture(_data_uri(path), _is_wide(path)) for path in paths}


def _rank(name: str, order: Sequence[str]) -> int:
    """The number of the first pattern that matches; the number of patterns if none does."""
    matches = (number for number, pattern in enumerate(order) if fnmatch(name, pattern))
    return next(matches, len(order))


def _natural_key(name: str) -> list[str | int]:
    """A sort key that puts kind-2 before kind-10."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _is_wide(path: Path) -> bool:
    with Image.open(path) as picture:
        width, height = picture.size
    return width > max(PAGE_WIDTH, 2 * height)


def _section(params: Params, name: str, root: Path) -> RunSection:
    run = params.run(name)
    return RunSection(
        name=name,
        title=run.title(),
        source=_json(root / "data" / run.data / "card.json")["source"],
        metrics=read_metrics(root, name),
        pictures=_pictures(root / "plots" / name, ORDER),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; make it with `dvc repro`") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); make it with `dvc repro`") from None
    return value


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
