"""``python -m stages.study <name>``: run what is missing of a study, and write its results."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from latent_atlas.data.neighbour_table import Neighbours
from latent_atlas.data.sources.urls import shown
from latent_atlas.data.store import Store
from latent_atlas.studies import plan, results, stores, workers
from latent_atlas.studies.cell import Order, fingerprint
from latent_atlas.studies.charts import grid
from latent_atlas.util import files
from latent_atlas.util.console import UserError, run_command, say
from latent_atlas.util.locks import alone

CACHE = Path(".cache/studies")

_SOURCE = "source.txt"
"""Beside the results on other images than the study's own: where these are from, no secrets."""

_PACKED = r"(?i)(\.(tar|gz|bz2|xz|tgz|zip|npz|csv|json))+$"
"""How a source is packed, at the end of its name; any other dot may tell it from another."""


def main() -> None:
    """Read the plan, make the images, finish the cells, write the results."""
    asked = _arguments()
    study = plan.load(asked.name)
    cells = plan.cells(study, asked.scale)
    chosen = plan.select(cells, asked.only)
    if asked.source == "":
        raise UserError("--source: found nothing, expected a path or URL; leave it out for the own")
    sources = {data.source for data in study.data.values()}
    if asked.source and len(sources) > 1:
        raise UserError(
            f"--source: the study {asked.name} has {len(sources)} sources "
            f"({', '.join(sorted(sources))}); only a study of one takes another"
        )
    published = results.read_published(asked.name)
    out = asked.scale + (f"-{_label(asked.source)}" if asked.source else "")
    folder = plan.STUDIES / asked.name / "results" / out
    _check_source(folder, asked.source)
    cache = CACHE / asked.name
    with alone(cache / f"{out}.lock", "this study is running already"):
        images = {
            name: stores.make(
                name,
                plan.data_set(study, name, asked.scale, asked.source),
                asked.scale,
                study.seed,
                cache,
                read=cache / "read" / out,
            )
            for name in study.data
        }
        company = _neighbours(study, images, asked.scale, cache)
        orders = {
            cell.run.name: _order(
                cell,
                images[cell.run.data],
                company.get(cell.run.data),
                study,
                asked.scale,
                cache,
            )
            for cell in cells
        }
        work = {
            name: order.run.epochs * len(images[order.run.data].rows("train"))
            for name, order in orders.items()
        }
        failures = workers.carry_out(
            f"study {asked.name}", [orders[cell.run.name] for cell in chosen], work, asked.jobs
        )
        found = {name: order.result() for name, order in orders.items()}
        finished = {name: values for name, values in found.items() if values is not None}
        outcome = results.Outcome(
            asked.name,
            asked.scale,
            study,
            cells,
            images,
            results.tidy(cells, finished),
            published,
            company,
        )
        models = {name: orders[name].model for name in finished}
        undrawn = _publish(outcome, models, folder, asked.source)
    say(f"{len(finished)} of {len(cells)} cells are finished: {folder / 'table.md'}")
    if failures or undrawn:
        raise UserError("; ".join([*_told(failures, len(chosen)), *undrawn]))


def _publish(
    outcome: results.Outcome, models: grid.Models, folder: Path, source: str | None
) -> list[str]:
    """Write the results; what is wrong with the figures, if anything, is told by the answer."""
    undrawn = []
    with files.folder(folder) as part:  # so that no figure of an earlier run stays behind
        results.write(outcome, part)
        if source is not None:
            files.write_bytes(part / _SOURCE, f"{shown(source)}\n".encode())
        try:
            grid.draw(outcome, models, part)
        except UserError as error:  # the tables are worth more than the figures
            undrawn.append(f"not all figures are drawn: {error}")
    return undrawn


def _told(failures: Mapping[str, str], chosen: int) -> list[str]:
    """The cells that failed of those `chosen`, the first of them with the reason; or nothing."""
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return [
        f"{len(failures)} of {chosen} cells failed: {name} ({reason}){more}"
        for name, reason in list(failures.items())[:1]
    ]


def _neighbours(
    study: plan.Study, images: Mapping[str, Store], scale: plan.Scale, cache: Path
) -> dict[str, Neighbours]:
    """The neighbours of each data set, where the study asks for any."""
    options = plan.looked_for(study, scale)
    if study.neighbours is None or options is None:
        return {}
    return {
        name: stores.neighbours(store, study.neighbours, options, cache)
        for name, store in images.items()
    }


def _order(
    cell: plan.Cell,
    store: Store,
    neighbours: Neighbours | None,
    study: plan.Study,
    scale: plan.Scale,
    cache: Path,
) -> Order:
    mark = fingerprint(cell.run, store, neighbours)
    folder = cache / "cells" / f"{cell.run.name}-{mark}"
    return Order(
        cell.run,
        store.path,
        folder,
        mark,
        study.active_threshold,
        study.bins,
        study.examine,
        plan.walks(study, scale),
        neighbours.path if neighbours is not None else None,
        plan.mixes(study, scale),
    )


def _check_source(folder: Path, source: str | None) -> None:
    """Refuse to write over the results on another source whose name ends alike."""
    path = folder / _SOURCE
    if source is None or not path.is_file():
        return
    found = path.read_text(encoding="utf-8").strip()
    if found != shown(source):
        raise UserError(
            f"--source: found {shown(source)}, but {folder} holds the results on {found}; write it "
            "as then if they are the same, else move the folder away"
        )


def _label(source: str) -> str:
    """A name for the results on another source: the last part of its path, and nothing secret."""
    path = shown(source).partition("?")[0]
    parts = path.rstrip("/").replace(":", "/").split("/")
    return re.sub(_PACKED, "", parts[-1]).strip(".") or "source"


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as everywhere."""
        raise UserError(f"{message}; see `{self.prog} --help`")


def _arguments() -> argparse.Namespace:
    parser = _Arguments(prog="python -m stages.study", description=__doc__)
    parser.add_argument("name", help=f"one of {', '.join(plan.names())}")
    parser.add_argument(
        "--scale", choices=("small", "full"), default="small", help="minutes, or as published"
    )
    parser.add_argument("--jobs", type=_positive, default=1, help="cells at once, a thread each")
    parser.add_argument(
        "--only", default="", help="some cells, e.g. 'data=circles_mono beta=1,4 latent_dim=3'"
    )
    parser.add_argument("--source", help="other images, as data.<name>.source in params.yaml")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of 1 or more")
    return int(text)


if __name__ == "__main__":
    run_command(main)
