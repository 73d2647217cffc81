"""Base class, number types and text patterns of the sections of params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import PydanticCustomError, core_schema

Scale = Literal["sample", "full"]

RecipeName = Literal["modern", "published"]

Likelihood = Literal["bernoulli", "gaussian", "laplace"]

Positive = Annotated[int, Field(ge=1)]

NonNegative = Annotated[float, Field(ge=0)]

Share = Annotated[float, Field(ge=0, le=1)]

MOST_SEED = 2**31 - 1
"""Largest seed that faiss accepts; scikit-learn accepts twice as much."""

Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]

CONTACT = r"^(mailto:)?[^@\s]+@[^@\s]+\.[^@\s]+$|^https?://\S+$"

NAME = r"^[a-z][a-z0-9_]*$"

PROXY = r"^http://\S+$"

SHA256 = r"^[0-9a-f]{64}$"

IN_WORDS = {
    CONTACT: "a mail address or a URL",
    NAME: "a name of small letters, digits and _ that begins with a letter",
    PROXY: "a URL http://…",
    SHA256: "64 hexadecimal digits",
}
"""Pattern → its description in error messages."""

Contact = Annotated[str, Field(pattern=CONTACT)]

Name = Annotated[str, Field(pattern=NAME)]


class Section(BaseModel):
    """A section of params.yaml: strictly typed, immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Checked = TypeVar("Checked", bound=Section)

OptionsT = TypeVar("OptionsT", bound="Options")


class Options(Section):
    """Options of a model, beyond the parameters that every model has.

    A model with options has a subclass in `latent_atlas.models.options`; this one is empty.
    """

    @classmethod
    def of(cls: type[OptionsT], options: Options) -> OptionsT:
        """Narrow the options of a run or a recipe to this class.

        Raises:
            TypeError: if they are of another model.
        """
        if not isinstance(options, cls):
            raise TypeError(f"found {type(options).__name__}, expected {cls.__name__}")
        return options


class PerScale:
    """Marks an integer that a file gives as a pair, e.g. ``{sample: 2000, full: 10000}``.

    Both values of the pair are validated. The loaded object holds the one of the scale in
    pydantic's validation context, so code never sees the pair. Without a scale in the context,
    where a loaded object is read again from JSON or made in code, the value is a plain integer.

    Args:
        least: the smallest allowed value, at either scale.
    """

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Validate the pair, choose by scale, validate the chosen integer."""
        number = core_schema.int_schema(ge=self.least, strict=True)
        fields = {scale: core_schema.typed_dict_field(number) for scale in get_args(Scale)}
        pair = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        chosen = core_schema.with_info_wrap_validator_function(_choose, pair)
        return core_schema.chain_schema([chosen, number])


def _choose(value: Any, validate_pair: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    scale = (info.context or {}).get("scale")
    if scale is None:
        return value
    if not isinstance(value, Mapping):
        raise PydanticCustomError("pair_type", "Input should be a pair {sample: …, full: …}")
    return validate_pair(value)[scale]


Scaled = Annotated[int, PerScale()]

Number = TypeVar("Number", int, float)


class PerRecipe(Section, Generic[Number]):
    """A pair of numbers, e.g. ``{modern: 0.002, published: 0.001}``; the recipe of a run chooses.

    Attributes:
        modern: for runs with the recipe ``modern``.
        published: for runs with the recipe ``published``.
    """

    modern: Number
    published: Number


def of_recipe(value: Number | PerRecipe[Number], recipe: RecipeName) -> Number:
    """The number of a pair that belongs to `recipe`; a number alone serves every recipe."""
    if not isinstance(value, PerRecipe):
        return value
    return value.modern if recipe == "modern" else value.published


def _number_or_pair(value: Any) -> str:
    return "pair" if isinstance(value, (Mapping, PerRecipe)) else "number"


PositiveForRecipe = Annotated[
    Annotated[Positive, Tag("number")] | Annotated[PerRecipe[Positive], Tag("pair")],
    Discriminator(_number_or_pair),
]
"""A positive integer, or a pair with one for each recipe."""

Rate = Annotated[float, Field(gt=0)]
"""A learning rate, or a factor on it."""

RateForRecipe = Annotated[
    Annotated[Rate, Tag("number")] | Annotated[PerRecipe[Rate], Tag("pair")],
    Discriminator(_number_or_pair),
]
"""A learning rate, or a pair with one for each recipe."""
