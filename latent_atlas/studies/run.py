"""A run of a study: its images, its cells, its tables and its charts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latent_atlas.config.charts import function_of
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.sources.urls import redact
from latent_atlas.data.store import Store
from latent_atlas.studies import grid, plan, results, stores, workers
from latent_atlas.studies.cell import CellJob, fingerprint
from latent_atlas.util import files
from latent_atlas.util.console import UserError, say
from latent_atlas.util.locks import exclusive_lock

CACHE = Path(".cache/studies")

SOURCE = "source.txt"
"""File beside the results with another source: that source, without secrets."""

_PACKED = r"(?i)(\.(tar|gz|bz2|xz|tgz|zip|npz|csv|json))+$"
"""Extensions at the end of a source; any other dot may be part of its name."""


@dataclass(frozen=True)
class Request:
    """The arguments of `stages.study`.

    Attributes:
        name: of the study.
        scale: ``small`` or ``full``.
        jobs: number of worker processes.
        only: selection of cells, see `grid.select`.
        source: replaces the source of the images; None keeps it.
    """

    name: str
    scale: plan.Scale = "small"
    jobs: int = 1
    only: str = ""
    source: str | None = None

    @property
    def label(self) -> str:
        """Name of the folder of the results: the scale, and the source if it is given."""
        return self.scale + (f"-{source_label(self.source)}" if self.source else "")


def run_study(request: Request) -> None:
    """Finish the selected cells, and write the results of all finished ones.

    Raises:
        UserError: if the request or the study is wrong, or cells or charts failed; results that
            are complete are written before.
    """
    study = plan.load(request.name, request.scale)
    cells = grid.cells_of(study)
    selected = grid.select(cells, request.only)
    published = results.read_published(request.name)
    folder = plan.STUDIES / request.name / "results" / request.label
    check_source(request, [data.source for data in study.data.values()], folder)
    cache = CACHE / request.name
    with exclusive_lock(cache / f"{request.label}.lock", "this study is running already"):
        images = {
            name: stores.make_store(
                name,
                study.data_set(name, request.scale, request.source),
                study.seed,
                cache,
                ingested=cache / "read" / request.label,
            )
            for name in study.data
        }
        neighbours = _neighbours(study, images, cache)
        jobs = {
            cell.run.name: _job(cell, study, images, neighbours, cache / "cells") for cell in cells
        }
        failures = workers.finish_cells(
            f"study {request.name}", [jobs[cell.run.name] for cell in selected], request.jobs
        )
        metrics = {name: job.result() for name, job in jobs.items()}
        finished = {name: values for name, values in metrics.items() if values is not None}
        outcome = results.Outcome(
            request.name,
            request.scale,
            study,
            cells,
            images,
            results.cell_table(cells, finished),
            published,
            {name: jobs[name].model for name in finished},
            neighbours,
        )
        problems = describe_failures(failures, len(selected))
        problems += _publish(outcome, folder, request.source)
    say(f"{len(finished)} of {len(cells)} cells are finished: {folder / 'table.md'}")
    if problems:
        raise UserError("; ".join(problems))


def _neighbours(
    study: plan.Study, images: Mapping[str, Store], cache: Path
) -> dict[str, NeighbourTable]:
    if study.neighbours is None:
        return {}
    return {
        name: stores.make_neighbours(store, study.neighbours, study.seed, cache)
        for name, store in images.items()
    }


def _job(
    cell: grid.Cell,
    study: plan.Study,
    images: Mapping[str, Store],
    neighbours: Mapping[str, NeighbourTable],
    folder: Path,
) -> CellJob:
    run, store, table = cell.run, images[cell.run.data], neighbours.get(cell.run.data)
    mark = fingerprint(run, store, table)
    return CellJob(
        run,
        images=run.epochs * len(store.rows("train")),
        store=store.path,
        folder=folder / f"{run.name}-{mark}",
        fingerprint=mark,
        active_threshold=study.active_threshold,
        bins=study.bins,
        examine=study.examine,
        seed=study.seed,
        interpolation=study.interpolation if "interpolation" in study.charts else None,
        neighbours=table.path if table is not None else None,
        mixing=study.mixing if "mixing" in study.charts else None,
    )


def _publish(outcome: results.Outcome, folder: Path, source: str | None) -> list[str]:
    """Write tables and charts; return the problem of the charts, if there is one."""
    problems = []
    with files.write_folder(folder) as part:  # no chart of an earlier run remains
        results.write_results(outcome, part)
        if source is not None:
            files.write_bytes(part / SOURCE, f"{redact(source)}\n".encode())
        try:
            draw_charts(outcome, part)
        except UserError as error:  # the tables are kept
            problems.append(f"not all charts are drawn: {error}")
    return problems


def draw_charts(outcome: results.Outcome, folder: Path) -> None:
    """Draw the charts of the study, as far as finished cells allow."""
    for chart in outcome.study.charts:
        function_of(chart)(outcome, folder)


def describe_failures(failures: Mapping[str, str], selected: int) -> list[str]:
    """One line about the failed cells, with the reason of the first; empty if there are none."""
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return [
        f"{len(failures)} of {selected} cells failed: {name} ({reason}){more}"
        for name, reason in list(failures.items())[:1]
    ]


def check_source(request: Request, own: Sequence[str], folder: Path) -> None:
    """Refuse a source that the study cannot take, or that would replace results with another one.

    Two sources with the same last part of the path share the folder of their results.

    Args:
        request: whose source it is.
        own: the sources that it replaces.
        folder: of the results.
    """
    if request.source is None:
        return
    if request.source == "":
        raise UserError(
            "--source: found nothing, expected a path or URL; leave it out for the study's own"
        )
    sources = set(own)
    if len(sources) > 1:
        raise UserError(
            f"--source: the study {request.name} has {len(sources)} sources "
            f"({', '.join(sorted(sources))}), expected one; choose another study"
        )
    path = folder / SOURCE
    old = path.read_text(encoding="utf-8").strip() if path.is_file() else redact(request.source)
    if old != redact(request.source):
        raise UserError(
            f"--source: found {redact(request.source)}, but {folder} holds the results with {old}; "
            "write the source as before if it is the same, or else move the folder away"
        )


def source_label(source: str) -> str:
    """A name for the results with a source: the last part of its path, without secrets."""
    path = redact(source).partition("?")[0]
    parts = path.rstrip("/").replace(":", "/").split("/")
    return re.sub(_PACKED, "", parts[-1]).strip(".") or "source"
