"""The translation runs of params.yaml: the model, the task and the training of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import TRANSLATORS, resolve
from latent_atlas.config.runs import BaseRun
from latent_atlas.config.section import Name, Options, Positive, Rate, Scaled, Section

TARGETS = ("edit", "input", "target")

SAMPLES = "latent_atlas.training.translation"
"""The module that makes the samples of translation runs, and their untrained models."""


class Task(Section):
    """Two domains of a data set, each given by values of its columns.

    Attributes:
        from_: column → value of the images that are translated; ``from`` in the file.
        to: column → value of the images that they become like.
    """

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[dict[str, str], Field(alias="from", min_length=1)]
    to: Annotated[dict[str, str], Field(min_length=1)]


class Pairs(Section):
    """Where the pairs of a paired translation come from; exactly one of the three.

    Attributes:
        edit: of drawn data: the target is the image drawn again with these values of its factors.
        input: the input is computed from the image, which is the target: its edges, or the image
            in grey.
        target: a data set that has the target of each image under the same id.
    """

    edit: dict[str, str] | None = None
    input: Literal["edges", "grey"] | None = None
    target: Name | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Pairs:
        given = [key for key in TARGETS if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"found {found}, expected exactly one of {', '.join(TARGETS)}")
        return self


class TranslationModel(Section):
    """A translation model and what it translates.

    Attributes:
        data: name of a data set.
        model: name of a model.
        task: of models that translate between two domains.
        attributes: of models that change attributes: columns of the data set.
        pairs: of models that learn from pairs.
        options: options of the model; those left out have the defaults of its options class.
    """

    data: Name
    model: str
    task: Task | None = None
    attributes: Annotated[list[str], Field(default_factory=list)]
    pairs: Pairs | None = None
    options: Annotated[SerializeAsAny[Options], Field(default={}, validate_default=True)]

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in TRANSLATORS:
            known = ", ".join(TRANSLATORS)
            hint = did_you_mean(name, TRANSLATORS)
            raise ValueError(f"found {name!r}, expected one of {known}{hint}")
        return name

    @field_validator("options", mode="before")
    @classmethod
    def _typed_options(cls, values: Any, fields: ValidationInfo) -> Any:
        """Validate the options with the class of the model, which also fills in the defaults."""
        if "model" not in fields.data:
            return Options()  # the wrong name of the model is reported
        model = fields.data["model"]
        schema: type[Options] = resolve(f"options.{TRANSLATORS[model].options}")
        for key in values if isinstance(values, Mapping) else ():
            if key not in schema.model_fields:
                hint = did_you_mean(str(key), schema.model_fields)
                names = ", ".join(schema.model_fields)
                raise ValueError(f"model {model!r} has no option {key!r}{hint} (it has {names})")
        return schema.model_validate(values)

    @model_validator(mode="after")
    def _has_what_the_model_needs(self) -> TranslationModel:
        needed = TRANSLATORS[self.model].needs
        given = [key for key in ("task", "attributes", "pairs") if getattr(self, key)]
        if given != [needed] and not (needed is None and not given):
            found = " and ".join(given) or "none of task, attributes and pairs"
            expected = needed or "none of them"
            raise ValueError(f"model {self.model!r}: found {found}, expected {expected}")
        return self


class TranslationSpec(TranslationModel):
    """One translation model to train, as written in params.yaml.

    Attributes:
        epochs: replaces ``train.epochs``.
        batch_size: replaces that of the model's paper.
        learning_rate: replaces that of the model's paper.
    """

    epochs: Scaled | None = None
    batch_size: Positive | None = None
    learning_rate: Rate | None = None


class TranslationRun(TranslationModel, BaseRun):
    """A translation run with every parameter resolved."""

    mean_start: bool = False

    def modules(self) -> list[str]:
        """The module of the model, and the one that makes its samples."""
        return translator_modules(self.model)

    def title(self) -> str:
        """One line that describes the run, for figures and tables."""
        return f"{self.name}: {self.model}, {self.change()}, {self.epochs} epochs, seed {self.seed}"

    def change(self) -> str:
        """What the model changes, in words."""
        if self.task is not None:
            return f"{_words(self.task.from_)} to {_words(self.task.to)}"
        if self.pairs is not None:
            if self.pairs.edit is not None:
                return f"to {_words(self.pairs.edit)}"
            return f"{self.pairs.input} to image" if self.pairs.input else f"to {self.pairs.target}"
        return ", ".join(self.attributes) or "images"


def translator_modules(model: str) -> list[str]:
    """The module of a translation model, and the one that makes its samples, as dotted names."""
    place = TRANSLATORS[model].place.partition(":")[0]
    return [f"latent_atlas.models.{place}", SAMPLES]


def _words(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
