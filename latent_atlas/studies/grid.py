"""Cells of a study: the trainings in the grids of its tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.studies.plan import Study, Table
from latent_atlas.util.console import UserError


@dataclass(frozen=True)
class Cell:
    """One training of a study.

    Attributes:
        run: all parameters of the training.
        tables: that contain it.
        knobs: `Table.knobs` of those.
    """

    run: Run
    tables: tuple[str, ...]
    knobs: str


def cells_of(study: Study) -> list[Cell]:
    """The grids of all tables, where equal trainings are one cell.

    Cells are in the order of the file, but all cells with seed 0 come before those with seed 1.

    Raises:
        UserError: if two different trainings have the same name.
    """
    tables, runs = dict[str, list[str]](), dict[str, Run]()
    for number, run in _runs(study):
        key = run.model_dump_json()
        runs[key] = run
        tables.setdefault(key, []).append(number)
    keys = sorted(runs, key=lambda key: runs[key].seed)
    named = dict[str, str]()
    for key in keys:
        other = named.setdefault(runs[key].name, key)
        if other != key:
            raise UserError(
                f"tables {tables[other][0]} and {tables[key][0]}: two different trainings have the "
                f"name {runs[key].name}; give them other options, schedules or epochs"
            )
    return [Cell(runs[key], tuple(tables[key]), study.tables[tables[key][0]].knobs) for key in keys]


def _runs(study: Study) -> Iterator[tuple[str, Run]]:
    """The trainings of each table with its number, seed by seed."""
    for number, table in study.tables.items():
        seeds = range(table.seeds or study.seeds)
        for seed, beta, latent_dim in product(seeds, table.beta, table.latent_dim):
            yield number, _run(study, table, seed, float(beta), latent_dim)


def _run(study: Study, table: Table, seed: int, beta: float, latent_dim: int) -> Run:
    knobs = "_".join(["", *re.findall(r"[\w.]+", table.knobs)])
    model = f"{table.model}_{table.network}_{table.likelihood}"
    name = f"{table.data}_{model}{knobs}_b{beta:g}_z{latent_dim}_s{seed}"
    train = {} if table.schedule is None else {"schedule": table.schedule}
    return Run(
        name=re.sub(r"\W", "_", name),
        family="study",
        data=table.data,
        model=table.model,
        network=table.network,
        likelihood=table.likelihood,
        latent_dim=latent_dim,
        beta=beta,
        loss_weights=dict.fromkeys(MODELS[table.model].weights, 1.0) | table.loss_weights,
        options=table.options,
        recipe=table.recipe,
        mean_start=table.mean_start is not False,
        seed=seed,
        epochs=table.epochs or study.train.epochs,
        train=study.train.model_copy(update=train),
    )


_KEYS: dict[str, Callable[[Cell], tuple[str, ...]]] = {
    "table": lambda cell: cell.tables,
    "data": lambda cell: (cell.run.data,),
    "model": lambda cell: (cell.run.model,),
    "beta": lambda cell: (f"{cell.run.beta:g}",),
    "latent_dim": lambda cell: (str(cell.run.latent_dim),),
    "seed": lambda cell: (str(cell.run.seed),),
}


def select(cells: Sequence[Cell], only: str) -> list[Cell]:
    """The cells that `only` selects, e.g. ``data=circles_mono beta=1,4 seed=0``.

    Raises:
        UserError: for a key that does not exist, or a value that no cell has.
    """
    chosen = list(cells)
    for term in only.split():
        key, equals, text = term.partition("=")
        if not equals or key not in _KEYS:
            raise UserError(
                f"--only: found {term!r}{did_you_mean(key, _KEYS)}; expected key=value or "
                f"key=value,value with a key of {', '.join(_KEYS)}"
            )
        values = text.split(",")
        available = {value for cell in cells for value in _KEYS[key](cell)}
        for value in values:
            if value not in available:
                raise UserError(
                    f"--only: no cell has {key} {value!r}; "
                    f"expected one of {', '.join(sorted(available))}"
                )
        chosen = [cell for cell in chosen if set(values) & set(_KEYS[key](cell))]
    if not chosen:
        raise UserError(f"--only: no cell fits all of {only!r}; remove a term")
    return chosen
