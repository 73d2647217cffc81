"""The report: what came out, run by run and stage by stage, in one HTML file of its own."""

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

from latent_atlas.config.schema import SHOP, Params
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
"""Pictures of a run in reading order; others follow by name."""

PAGE_WIDTH = 1168
"""Of the text of the page in pixels; what is wider is shrunk or scrolled."""

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


@dataclass(frozen=True)
class Chapter:
    """A stage that is about more than one run: its pictures and its metrics.

    Attributes:
        name: of ``metrics/<name>.json`` and of the folder ``plots/<name>``.
        text: what is to be seen, in a sentence or two.
        order: patterns of its pictures in the order of the text; others follow by name.
    """

    name: str
    text: str
    order: tuple[str, ...] = ()


CHAPTERS = (
    Chapter(
        "products",
        "What the crawl of the shop brought: the photos by category, those that are no product "
        "photos with the reason, and the kinds of model photos. Shares called right are measured "
        "against the drawn shop's truth.",
    ),
    Chapter(
        "scenes-neighbours",
        "For some quadrants, in each place, the nearest that the features of DeepCluster find. "
        "Agreement is the share of neighbours that show the same object; recall is the share of "
        "the nearest of all that the search within clusters finds.",
    ),
    Chapter(
        "scenes-mixing",
        "Quadrants of one scene put into another: the picture that the mix ought to be is drawn, "
        "and the renderings of the mixing model are measured against it, beside pasted quadrants "
        "and the same autoencoder trained without mixing.",
    ),
    Chapter(
        "paintings-cartography",
        "The latent spaces of six autoencoders on the same paintings: how the codes are spread, "
        "what their clusters are made of, whether they lie as the prior says, and whether the "
        "space is ordered by style or by content. A map says how far its neighbourhoods can be "
        "believed.",
    ),
    Chapter(
        "paintings-interpolation",
        "Walks from one painting's code to another's. First: does the style loss tell the styles "
        "of real images apart? Then how it changes on the way; the same pairs joined by straight "
        "lines, arcs, geodesics of the decoder's metric and shortest paths from datum to datum; "
        "and whether a path shows pictures of its own or dissolves one end into the other. At "
        "sample scale, with 4 pairs a group and 6 epochs, this shows that the stage works, and is "
        "no finding.",
        (
            "separation",
            "curves_intra",
            "curves_inter",
            "curves_extremes",
            "extremes_*",
            "kinds",
            "strips_*",
            "claim",
        ),
    ),
)
"""In reading order; a stage that joins adds a line."""


@dataclass(frozen=True)
class Picture:
    """A picture in the report.

    Attributes:
        uri: its bytes as a data URI.
        wide: much wider than the page, which would shrink it until nothing can be read.
    """

    uri: str
    wide: bool


@dataclass(frozen=True)
class Section:
    """A run in the report: its title, its source, its metrics, its pictures by name."""

    name: str
    title: str
    source: str
    metrics: dict[str, float]
    pictures: dict[str, Picture]


def render(params: Params, values: dict[str, Any], root: Path) -> str:
    """The page as HTML, every value escaped.

    Args:
        params: validated parameters; the runs appear in their order.
        values: the same parameters as a plain mapping, to be printed.
        root: folder with ``data``, ``metrics``, ``models`` and ``plots``.

    Raises:
        UserError: if an output of the pipeline is missing.
    """
    environment = Environment(
        loader=PackageLoader("stages.report"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(
        cards=[_json(root / "data" / name / "card.json") for name in [*params.data, SHOP]],
        sections=[_section(params, name, root) for name in params.latent_run_names()],
        chapters=[_chapter(chapter, root) for chapter in CHAPTERS],
        columns=COLUMNS,
        parameters=yaml.safe_dump(values, sort_keys=False, allow_unicode=True),
    )


def _chapter(chapter: Chapter, root: Path) -> dict[str, Any]:
    metrics = _json(root / "metrics" / f"{chapter.name}.json")
    return {
        "name": chapter.name,
        "text": chapter.text,
        "columns": list(metrics),
        "rows": {
            metric: [metrics[column].get(metric) for column in metrics]
            for metric in dict.fromkeys(key for values in metrics.values() for key in values)
        },
        "pictures": _pictures(root / "plots" / chapter.name, chapter.order),
    }


def _pictures(folder: Path, order: Sequence[str]) -> dict[str, Picture]:
    """The pictures of a folder by name, in the order of the patterns `order`."""
    found = sorted(
        folder.glob("*.png"), key=lambda path: (_place(path.stem, order), _counted(path.stem))
    )
    if not found:
        raise UserError(f"{folder}: no picture there; make it with `dvc repro`")
    return {path.stem: Picture(_data_uri(path), _is_wide(path)) for path in found}


def _place(name: str, order: Sequence[str]) -> int:
    """The number of the first pattern that fits; after all of them if none does."""
    fits = (number for number, pattern in enumerate(order) if fnmatch(name, pattern))
    return next(fits, len(order))


def _counted(name: str) -> list[str | int]:
    """A key that sorts kind-2 before kind-10."""
    parts = re.split("([0-9]+)", name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _is_wide(path: Path) -> bool:
    with Image.open(path) as picture:
        width, height = picture.size
    return width > max(PAGE_WIDTH, 2 * height)


def _section(params: Params, name: str, root: Path) -> Section:
    run = params.run(name)
    return Section(
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
        raise UserError(f"{path}: no JSON ({error}); make it with `dvc repro`") from None
    return value


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
