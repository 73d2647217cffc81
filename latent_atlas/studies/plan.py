"""What a study runs: ``studies/<name>/study.yaml``, its schema, and its grids as cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from latent_atlas.analysis.interpolation.experiments import Asked
from latent_atlas.analysis.neighbours.build import Options
from latent_atlas.analysis.scene_mixing import evaluator
from latent_atlas.config import reading, runs
from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS, Option
from latent_atlas.config.runs import ModelName, NetworkName, Run, Train
from latent_atlas.config.schema import (
    Cartography,
    DataSet,
    Interpolation,
    Mixing,
    QuadrantNeighbours,
)
from latent_atlas.config.section import Likelihood, Name, Positive, Scaled, Section, Seed
from latent_atlas.models.backbones import DEEPCLUSTER
from latent_atlas.util.console import UserError

STUDIES = Path("studies")

Scale = Literal["small", "full"]
Chart = Literal[
    "reconstruction_loss",
    "active_latents",
    "reconstructions",
    "mesh",
    "scatter",
    "recognition",
    "experts",
    "retrieval",
    "disentanglement",
    "latents",
    "walks",
    "mixing",
]

_SCALED: dict[Scale, Literal["sample", "full"]] = {"small": "sample", "full": "full"}


class StudyData(DataSet):
    """A data set of a study.

    Attributes:
        full_source: the source at full scale, where it is another one.
        given_classes: in place of ``classes`` where the source is given by ``--source``.
    """

    full_source: Annotated[str, Field(min_length=1)] | None = None
    given_classes: list[str] | Positive | None = None


class Table(Section):
    """A table of the document: every β with every latent size.

    Attributes:
        data: a data set of the study.
        loss_weights: of the terms of the model's loss; 1 for those left out.
        options: knobs of the model alone; those left out have the defaults of the registry.
        seeds: how many, counted from 0; null for as many as the study says.
        epochs: null for as many as the study says.
        schedule: of the learning rate, epoch → factor; null for the study's.
        mean_start: whether decoders begin at the mean image; null for as the study says.
    """

    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    beta: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    latent_dim: Annotated[list[Positive], Field(min_length=1)]
    loss_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    options: dict[str, Option] = Field(default_factory=dict)
    seeds: Scaled | None = None
    epochs: Scaled | None = None
    schedule: dict[Positive, Annotated[float, Field(gt=0)]] | None = None
    mean_start: bool | None = None

    def knobs(self, scale: Scale) -> str:
        """What tells the cells from others of their model, β and latent size; or nothing.

        Options that are not the registry's, weights of the loss that are not 1, and where the
        table begins, how long and at which rates it trains if it says so itself, e.g. ``gamma 20,
        500 epochs``.
        """
        ordinary = {**MODELS[self.model].options, **dict.fromkeys(MODELS[self.model].weights, 1.0)}
        values = {**ordinary, **self.options, **self.loss_weights}
        parts = [
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in values.items()
            if value != ordinary[key]
        ]
        if self.mean_start is not None:
            parts.append("begun at the mean image" if self.mean_start else "begun at small biases")
        if self.epochs is not None:
            parts.append(f"{number(self.epochs, scale)} epochs")
        if self.schedule == {}:
            parts.append("constant rate")
        parts += [
            f"rate × {factor:g} from epoch {epoch}"
            for epoch, factor in sorted((self.schedule or {}).items())
        ]
        return ", ".join(parts)

    @model_validator(mode="after")
    def _beta_of_the_model(self) -> Table:
        fixed = MODELS[self.model].beta
        if fixed is not None and self.beta != [fixed]:
            raise ValueError(f"model {self.model!r} has β {fixed:g}; write beta: [{fixed:g}]")
        unknown = [term for term in self.loss_weights if term not in MODELS[self.model].weights]
        if unknown:
            known = ", ".join(MODELS[self.model].weights)
            raise ValueError(
                f"loss_weights: model {self.model!r} has no term {unknown[0]!r} (it has {known})"
            )
        runs.check_options(self.model, self.options)
        runs.check_suits(self.model, self.network, self.likelihood)
        return self


class Plane(Section):
    """Pictures of a model with two latents, as in `latent_atlas.plots.latent_plane`."""

    mesh: Annotated[int, Field(ge=2)]
    traversal: Annotated[float, Field(gt=0)]
    scatter: Positive


class Study(Section):
    """The whole of a study.yaml.

    Attributes:
        title: of the document, for the results.
        seed: of drawn data; the seeds of the trainings are counted from 0.
        seeds: how many trainings of each cell.
        tables: by the number that they have in the document.
        active_threshold: a latent is active if its posterior mean varies by more.
        bins: of a latent, where its information about a true factor is counted.
        examine: measure all of `latent_atlas.metrics.disentanglement`, where there are true factors.
        figures: what to draw; ``mesh`` and ``scatter`` need cells with two latents.
        cartography: what is measured of latent spaces, for ``latents``.
        paths: how codes are joined and what is measured on the way, for ``walks``.
        neighbours: of the quadrants, for models that mix scenes.
        scenes: what is measured of mixed scenes, for ``mixing``.
    """

    title: str
    seed: Seed
    seeds: Scaled
    data: dict[Name, StudyData]
    tables: dict[Annotated[str, Field(pattern=r"^[\w.]+$")], Table]
    train: Train
    active_threshold: Annotated[float, Field(gt=0)]
    bins: Annotated[int, Field(ge=2)]
    examine: bool = False
    figures: list[Chart]
    plane: Plane | None = None
    cartography: Cartography | None = None
    paths: Interpolation | None = None
    neighbours: QuadrantNeighbours | None = None
    scenes: Mixing | None = None

    @model_validator(mode="after")
    def _tables_have_data(self) -> Study:
        if not self.tables:
            raise ValueError("tables: found none, expected at least one")
        for number, table in self.tables.items():
            if table.data not in self.data:
                raise ValueError(
                    f"tables.{number}.data: found {table.data!r}, "
                    f"expected one of {', '.join(self.data)}{did_you_mean(table.data, self.data)}"
                )
            data = self.data[table.data]
            where = f"tables.{number}"
            runs.check_network(table.network, data.height, data.width, where, f"data.{table.data}")
            for size in table.latent_dim:
                runs.check_cells(table.network, data.height, data.width, size, where, table.options)
            if MODELS[table.model].company:
                self._check_company(table, where)
        if self.plane is None and {"mesh", "scatter"} & set(self.figures):
            raise ValueError("figures: mesh and scatter need the section plane; add it")
        if not self.examine and "disentanglement" in self.figures:
            raise ValueError("figures: disentanglement shows what examine measures; set it to true")
        if self.cartography is None and "latents" in self.figures:
            raise ValueError("figures: latents need the section cartography; add it")
        if self.paths is None and "walks" in self.figures:
            raise ValueError("figures: walks need the section paths; add it")
        if "mixing" in self.figures and (self.scenes is None or self.neighbours is None):
            raise ValueError("figures: mixing needs the sections scenes and neighbours; add them")
        if self.neighbours is not None and self.neighbours.backbone == DEEPCLUSTER:
            raise ValueError(
                f"neighbours.backbone: {DEEPCLUSTER} is learnt by a stage of the pipeline; write "
                f"{DEEPCLUSTER}@<folder>, or choose efficientnet_lite0"
            )
        return self

    def _check_company(self, table: Table, where: str) -> None:
        """Raise ValueError unless a model that sees neighbours is given the right ones."""
        if self.neighbours is None:
            raise ValueError(
                f"{where}: model {table.model!r} sees neighbours; add the section neighbours"
            )
        tiles = table.options.get("tiles", MODELS[table.model].options["tiles"])
        if tiles != self.neighbours.tiles:
            raise ValueError(
                f"{where}.options.tiles: found {tiles}, but neighbours.tiles is "
                f"{self.neighbours.tiles}; the two go together"
            )


@dataclass(frozen=True)
class Cell:
    """One training of a study, the tables that it stands in, and `Table.knobs` of those."""

    run: Run
    tables: tuple[str, ...]
    knobs: str


def names() -> list[str]:
    """The studies of the repository."""
    return sorted(file.parent.name for file in STUDIES.glob("*/study.yaml"))


def load(name: str) -> Study:
    """Read and validate ``studies/<name>/study.yaml``.

    Raises:
        UserError: if there is no such study, or its file is wrong.
    """
    known = names()
    if name not in known:
        raise UserError(
            f"no study {name!r}{did_you_mean(name, known)} (there are {', '.join(known)})"
        )
    path = STUDIES / name / "study.yaml"
    return reading.check(Study, reading.read(path), str(path))


def number(scaled: Scaled, scale: Scale) -> int:
    """The value of `scaled`; a study's small scale is its ``sample``."""
    return int(getattr(scaled, _SCALED[scale]))


def walks(study: Study, scale: Scale) -> Asked | None:
    """The walks that are asked of every cell, if any."""
    if study.paths is None or "walks" not in study.figures:
        return None
    return Asked(study.paths, _SCALED[scale], study.seed)


def mixes(study: Study, scale: Scale) -> evaluator.Asked | None:
    """What is measured of mixed scenes in every cell, if anything."""
    if study.scenes is None or "mixing" not in study.figures:
        return None
    return evaluator.Asked(study.scenes, _SCALED[scale], study.seed)


def looked_for(study: Study, scale: Scale) -> Options | None:
    """How the neighbours of every quadrant are looked for, if they are wanted."""
    if study.neighbours is None:
        return None
    return Options.of(study.neighbours, _SCALED[scale], study.seed)


def data_set(study: Study, name: str, scale: Scale, source: str | None) -> DataSet:
    """The data set `name` at `scale`; `source` takes the place of its own.

    Raises:
        UserError: if the data set cannot be made from `source`.
    """
    entry = study.data[name]
    wanted = source or (entry.full_source if scale == "full" else None) or entry.source
    values = entry.model_dump(exclude={"full_source", "given_classes"}) | {"source": wanted}
    if source is not None and entry.given_classes is not None:
        values["classes"] = entry.given_classes
    return reading.check(DataSet, values, f"data.{name}")


def cells(study: Study, scale: Scale) -> list[Cell]:
    """The grids of all tables, where equal trainings are one cell.

    In the order of the file, but every cell with seed 0 comes before any with seed 1.

    Raises:
        UserError: if two trainings that differ would have the same name in the results.
    """
    tables: dict[str, list[str]] = {}
    runs: dict[str, Run] = {}
    for title, run in _runs(study, scale):
        key = run.model_dump_json()
        runs[key] = run
        tables.setdefault(key, []).append(title)
    ordered = sorted(runs.items(), key=lambda item: item[1].seed)
    named: dict[str, str] = {}
    for key, run in ordered:
        other = named.setdefault(run.name, key)
        if other != key:
            raise UserError(
                f"tables {tables[other][0]} and {tables[key][0]}: two trainings that differ are "
                f"both called {run.name}; give them other options, schedules or lengths"
            )
    return [
        Cell(run, tuple(tables[key]), study.tables[tables[key][0]].knobs(scale))
        for key, run in ordered
    ]


def _runs(study: Study, scale: Scale) -> Iterator[tuple[str, Run]]:
    """Each table's trainings, with the table's number; a seed after the other."""
    for title, table in study.tables.items():
        seeds = range(number(table.seeds or study.seeds, scale))
        for seed, beta, latent_dim in product(seeds, table.beta, table.latent_dim):
            yield title, _run(study, table, scale, seed, float(beta), latent_dim)


def _run(study: Study, table: Table, scale: Scale, seed: int, beta: float, latent_dim: int) -> Run:
    own = "_".join(["", *re.findall(r"[\w.]+", table.knobs(scale))])
    kind = f"{table.model}_{table.network}_{table.likelihood}"
    name = f"{table.data}_{kind}{own}_b{beta:g}_z{latent_dim}_s{seed}"
    return Run.model_validate(
        {
            "name": re.sub(r"\W", "_", name),
            "family": "study",
            "data": table.data,
            "model": table.model,
            "network": table.network,
            "likelihood": table.likelihood,
            "latent_dim": latent_dim,
            "beta": beta,
            "loss_weights": dict.fromkeys(MODELS[table.model].weights, 1.0) | table.loss_weights,
            "options": runs.check_options(table.model, table.options),
            "seed": seed,
            "epochs": number(table.epochs or study.train.epochs, scale),
            "train": _train(study, table),
        }
    )


def _train(study: Study, table: Table) -> Train:
    own = {"schedule": table.schedule, "mean_start": table.mean_start}
    return study.train.model_copy(
        update={key: value for key, value in own.items() if value is not None}
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
    """The cells that `only` names, e.g. ``data=circles_mono beta=1,4 seed=0``.

    Raises:
        UserError: naming a key that does not exist, or a value that no cell has.
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
        there = {value for cell in cells for value in _KEYS[key](cell)}
        for value in values:
            if value not in there:
                raise UserError(
                    f"--only: no cell has {key} {value!r} (there are {', '.join(sorted(there))})"
                )
        chosen = [cell for cell in chosen if set(values) & set(_KEYS[key](cell))]
    if not chosen:
        raise UserError(f"--only: no cell fits all of {only!r}; leave a term out")
    return chosen
