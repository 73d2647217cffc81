"""Plan of a study: the schema of ``studies/<name>/study.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from latent_atlas.config import reading
from latent_atlas.config.charts import CHARTS
from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import ModelSpec, Train
from latent_atlas.config.schema import (
    Cartography,
    DataSet,
    Interpolation,
    Mixing,
    QuadrantNeighbours,
)
from latent_atlas.config.section import (
    Name,
    NonNegative,
    Positive,
    RecipeName,
    Scaled,
    Section,
    Seed,
)
from latent_atlas.models.backbones import DEEPCLUSTER
from latent_atlas.models.options.mixing import MixingOptions
from latent_atlas.util.console import UserError

STUDIES = Path("studies")

Scale = Literal["small", "full"]

_SCALES: dict[Scale, Literal["sample", "full"]] = {"small": "sample", "full": "full"}


class StudyData(DataSet):
    """A data set of a study.

    Attributes:
        full_source: replaces ``source`` at full scale.
        given_classes: replaces ``classes`` where ``--source`` is given.
    """

    full_source: Annotated[str, Field(min_length=1)] | None = None
    given_classes: list[str] | Positive | None = None


class Table(ModelSpec):
    """A table of a document: the grid of every β with every latent size.

    Attributes:
        beta: values of β.
        latent_dim: latent sizes.
        loss_weights: term of the model's loss → weight; 1 for terms that are left out.
        seeds: number of trainings of each cell; null for that of the study.
        epochs: null for those of the study.
        schedule: epoch → factor on the learning rate; null for that of the study.
        recipe: of the trainings.
        mean_start: whether decoders start at the mean image; null for yes.
    """

    beta: Annotated[list[NonNegative], Field(min_length=1)]
    latent_dim: Annotated[list[Positive], Field(min_length=1)]
    loss_weights: dict[str, NonNegative] = Field(default_factory=dict)
    seeds: Scaled | None = None
    epochs: Scaled | None = None
    schedule: dict[Positive, Annotated[float, Field(gt=0)]] | None = None
    recipe: RecipeName = "published"
    mean_start: bool | None = None

    @property
    def knobs(self) -> str:
        """Settings of the table beside model, β and latent size, e.g. ``gamma 20, 500 epochs``.

        They are the options and loss weights that differ from their defaults, and the start of the
        decoder, epochs and schedule where the table sets them itself. Empty where there are none.
        """
        weights = dict.fromkeys(MODELS[self.model].weights, 1.0)
        defaults = {**type(self.options)().model_dump(), **weights}
        values = {**defaults, **self.options.model_dump(), **self.loss_weights}
        parts = [
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in values.items()
            if value != defaults[key]
        ]
        if self.recipe != "published":
            parts.append(f"{self.recipe} recipe")
        if self.mean_start is not None:
            parts.append(f"starts at {'the mean image' if self.mean_start else 'small biases'}")
        if self.epochs is not None:
            parts.append(f"{self.epochs} epochs")
        if self.schedule == {}:
            parts.append("constant rate")
        parts += [
            f"rate × {factor:g} from epoch {epoch}"
            for epoch, factor in sorted((self.schedule or {}).items())
        ]
        return ", ".join(parts)

    @model_validator(mode="after")
    def _beta_suits_model(self) -> Table:
        fixed = MODELS[self.model].beta
        if fixed is not None and self.beta != [fixed]:
            raise ValueError(f"model {self.model!r} has β {fixed:g}; write beta: [{fixed:g}]")
        return self

    @model_validator(mode="after")
    def _loss_has_the_terms(self) -> Table:
        terms = MODELS[self.model].weights
        for term in self.loss_weights:
            if term not in terms:
                raise ValueError(
                    f"loss_weights: model {self.model!r} has no term {term!r}"
                    f"{did_you_mean(term, terms)} (it has {', '.join(terms)})"
                )
        return self


class Plane(Section):
    """Charts of a model with two latents, see `latent_atlas.plots.latent_plane`.

    Attributes:
        mesh: rows and columns of the mesh.
        traversal: the mesh goes from −traversal to +traversal.
        scatter: images per class.
    """

    mesh: Annotated[int, Field(ge=2)]
    traversal: Annotated[float, Field(gt=0)]
    scatter: Positive


class Study(Section):
    """The contents of a study.yaml.

    Attributes:
        title: of the study, for tables and charts.
        seed: of drawn data; the seeds of the trainings count from 0.
        seeds: number of trainings of each cell.
        data: name → data set.
        tables: number in the document, or another name → grid.
        train: the training loop.
        active_threshold: a latent is active if the variance of its posterior mean is larger.
        bins: of a latent, where its information about a true factor is measured.
        examine: measure all of `latent_atlas.metrics.disentanglement`, where factors are known.
        charts: names in `latent_atlas.config.charts`.
        plane: settings of the charts ``mesh`` and ``scatter``.
        cartography: settings of the chart ``latent_spaces``.
        interpolation: settings of the chart ``interpolation``.
        neighbours: of the tiles of the images, for models that mix scenes.
        mixing: settings of the chart ``mixing``.
    """

    title: str
    seed: Seed
    seeds: Scaled
    data: dict[Name, StudyData]
    tables: Annotated[dict[Annotated[str, Field(pattern=r"^[\w.]+$")], Table], Field(min_length=1)]
    train: Train
    active_threshold: Annotated[float, Field(gt=0)]
    bins: Annotated[int, Field(ge=2)]
    examine: bool = False
    charts: list[str]
    plane: Plane | None = None
    cartography: Cartography | None = None
    interpolation: Interpolation | None = None
    neighbours: QuadrantNeighbours | None = None
    mixing: Mixing | None = None

    @field_validator("charts")
    @classmethod
    def _charts_exist(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in CHARTS:
                raise ValueError(
                    f"found {name!r}, expected one of {', '.join(CHARTS)}"
                    f"{did_you_mean(name, CHARTS)}"
                )
        return names

    @model_validator(mode="after")
    def _charts_have_their_settings(self) -> Study:
        for name in self.charts:
            missing = [key for key in CHARTS[name].keys if not getattr(self, key)]
            if missing:
                raise ValueError(f"charts: {name} needs the key {missing[0]}; add it")
        return self

    @model_validator(mode="after")
    def _tables_have_data(self) -> Study:
        for number, table in self.tables.items():
            if table.data not in self.data:
                raise ValueError(
                    f"tables.{number}.data: found {table.data!r}, "
                    f"expected one of {', '.join(self.data)}{did_you_mean(table.data, self.data)}"
                )
        return self

    @model_validator(mode="after")
    def _networks_fit_the_images(self) -> Study:
        for number, table in self.tables.items():
            data = self.data[table.data]
            for size in table.latent_dim:
                where, key = f"tables.{number}", f"data.{table.data}"
                table.check_size(data.height, data.width, size, where, key)
        return self

    @model_validator(mode="after")
    def _partner_images_have_neighbours(self) -> Study:
        for number, table in self.tables.items():
            if not MODELS[table.model].partners:
                continue
            if self.neighbours is None:
                raise ValueError(
                    f"tables.{number}: model {table.model!r} sees partner images; "
                    "add the key neighbours"
                )
            tiles = MixingOptions.of(table.options).tiles
            if tiles != self.neighbours.tiles:
                raise ValueError(
                    f"tables.{number}.options.tiles: found {tiles}, expected the "
                    f"{self.neighbours.tiles} of neighbours.tiles"
                )
        return self

    @model_validator(mode="after")
    def _backbone_has_a_folder(self) -> Study:
        if self.neighbours is not None and self.neighbours.backbone == DEEPCLUSTER:
            raise ValueError(
                f"neighbours.backbone: found {DEEPCLUSTER}, which a stage of the pipeline trains; "
                f"write {DEEPCLUSTER}@<folder>, or choose efficientnet_lite0"
            )
        return self

    def data_set(self, name: str, scale: Scale, source: str | None) -> DataSet:
        """The data set `name` at `scale`; `source`, if any, replaces its own.

        Raises:
            UserError: if the data set cannot be made from `source`.
        """
        entry = self.data[name]
        own = (entry.full_source if scale == "full" else None) or entry.source
        values = entry.model_dump(exclude={"full_source", "given_classes"})
        values["source"] = source or own
        if source is not None and entry.given_classes is not None:
            values["classes"] = entry.given_classes
        return reading.check(DataSet, values, f"data.{name}")


def names() -> list[str]:
    """The studies of the repository, of either kind."""
    return sorted(file.parent.name for file in STUDIES.glob("*/study.yaml"))


def find(name: str) -> dict[str, Any]:
    """Read ``studies/<name>/study.yaml`` without validating it.

    Raises:
        UserError: if there is no such study, or its file is no mapping.
    """
    options = names()
    if name not in options:
        raise UserError(
            f"no study {name!r}{did_you_mean(name, options)}; expected one of {', '.join(options)}"
        )
    return reading.read(STUDIES / name / "study.yaml")


def is_of_translation(name: str) -> bool:
    """Whether the study has ``runs`` of translation models in place of ``tables``."""
    return "runs" in find(name)


def load(name: str, scale: Scale) -> Study:
    """Read and validate ``studies/<name>/study.yaml``; numbers are those of `scale`.

    Raises:
        UserError: if there is no such study, or its file is wrong.
    """
    values = find(name)
    return reading.check(Study, values, str(STUDIES / name / "study.yaml"), scale_of(scale))


def scale_of(scale: Scale) -> Literal["sample", "full"]:
    """The key of a pair ``{sample: …, full: …}`` that has the numbers of `scale`."""
    return _SCALES[scale]
