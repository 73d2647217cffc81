"""The report: metrics and pictures of every run and stage in one self-contained HTML file."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

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
    "valid_kl": "KL",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "active_latents": "active",
    "unused_latents": "unused",
    "mig": "MIG",
}
"""Metrics in the overview, with their headings."""


class Chapter(Section):
    """A chapter about stages that cover more than one run, see ``chapters.yaml``.

    Attributes:
        kind: name of the stage.
        text: description of the pictures.
        order: patterns of their file names; others follow by name.
    """

    kind: str
    text: str
    order: list[str] = Field(default_factory=list)

    def names(self, params: Params, root: Path) -> list[str]:
        """The parts of ``metrics`` and ``plots`` that it shows, in the order of the data sets."""
        names = [self.kind, *(f"{data}-{self.kind}" for data in params.data)]
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


@dataclass(frozen=True)
class RunSection:
    """A run in the report: its title, its source, its metrics, its pictures by name."""

    name: str
    title: str
    source: str
    metrics: dict[str, float]
    pictures: dict[str, Picture]


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
            _chapter(name, chapter, root)
            for chapter in read_chapters()
            for name in chapter.names(params, root)
        ],
        columns=COLUMNS,
        parameters=yaml.safe_dump(values, sort_keys=False, allow_unicode=True),
    )


def _chapter(name: str, chapter: Chapter, root: Path) -> dict[str, Any]:
    metrics = _json(root / "metrics" / f"{name}.json")
    return {
        "name": name,
        "text": chapter.text,
        "columns": list(metrics),
        "rows": {
            metric: [metrics[column].get(metric) for column in metrics]
            for metric in dict.fromkeys(key for values in metrics.values() for key in values)
        },
        "pictures": _pictures(root / "plots" / name, chapter.order),
    }


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
        metrics=_json(root / "metrics" / f"{name}.json")[name],
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
