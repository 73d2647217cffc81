"""The runs of params.yaml: the model, data and training of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from latent_atlas.config.code_grid import MOST_HALVINGS, check_tiles, grid_of
from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.registry import MODELS, NETWORKS, modules_of, options_of
from latent_atlas.config.section import (
    Likelihood,
    Name,
    NonNegative,
    Options,
    Positive,
    PositiveForRecipe,
    Rate,
    RateForRecipe,
    RecipeName,
    Scaled,
    Section,
)

Spec = TypeVar("Spec", bound="ModelSpec")


def _registered(names: Mapping[str, Any]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in names:
            known = ", ".join(names)
            raise ValueError(f"found {name!r}, expected one of {known}{did_you_mean(name, names)}")
        return name

    return AfterValidator(check)


ModelName = Annotated[str, _registered(MODELS)]

NetworkName = Annotated[str, _registered(NETWORKS)]


class LossWeights(Section):
    """Weights of the terms of a loss.

    Attributes:
        reconstruction: weight of the reconstruction loss of autoencoders and VAEs.
        mixing_reconstruction: weight of reconstruction in the mixing model and its autoencoder.
        adversarial: weight of the adversarial loss of the mixing model.
        classifier: weight of the classification loss of the mixing model.
    """

    reconstruction: Annotated[float, Field(gt=0)]
    mixing_reconstruction: NonNegative
    adversarial: NonNegative
    classifier: NonNegative


class ModelSpec(Section):
    """A model and the data that it is trained on.

    Attributes:
        data: name of a data set.
        model: name of a model.
        network: network of encoder and decoder.
        likelihood: distribution of the pixels that the reconstruction loss assumes.
        options: options of the model; those left out have the defaults of its options class.
    """

    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    options: Annotated[SerializeAsAny[Options], Field(default={}, validate_default=True)]

    @field_validator("options", mode="before")
    @classmethod
    def _typed_options(cls, values: Any, fields: ValidationInfo) -> Any:
        """Validate the options with the class of the model, which also fills in the defaults.

        The options of a checkpoint may be older than the class; the defaults are what they were
        trained with.
        """
        if "model" not in fields.data:
            return Options()  # the wrong name of the model is reported
        model, schema = fields.data["model"], options_of(fields.data["model"])
        for key in values if isinstance(values, Mapping) else ():
            if key not in schema.model_fields:
                names = ", ".join(schema.model_fields) or "no options"
                raise ValueError(
                    f"model {model!r} has no option {key!r}"
                    f"{did_you_mean(str(key), schema.model_fields)} (it has {names})"
                )
        return schema.model_validate(values)

    @model_validator(mode="after")
    def _suits_model(self: Spec) -> Spec:
        entry = MODELS[self.model]
        for key, value, allowed in (
            ("network", self.network, entry.networks or tuple(NETWORKS)),
            ("likelihood", self.likelihood, entry.likelihoods),
        ):
            if value not in allowed:
                raise ValueError(
                    f"{key}: found {value!r}, but model {self.model!r} takes {' or '.join(allowed)}"
                )
        return self

    def check_size(self, height: int, width: int, latent_dim: int, where: str, data: str) -> None:
        """Check that the network suits the sizes of images and codes.

        Args:
            height: of the images, in pixels.
            width: of the images, in pixels.
            latent_dim: numbers in a code.
            where: key of this section, for the message.
            data: key of the data set, for the message.

        Raises:
            ValueError: if the images do not fit the network, or a code cannot be divided among
                its cells, or the cells among the tiles that the options ask for.
        """
        entry = NETWORKS[self.network]
        if height % entry.multiple or width % entry.multiple:
            free = ", ".join(name for name, other in NETWORKS.items() if other.multiple == 1)
            raise ValueError(
                f"{where}.network: {self.network} takes multiples of {entry.multiple}, but {data} "
                f"is {height}×{width}; change height and width, or choose {free}"
            )
        if entry.cells is None:
            return
        halvings = getattr(self.options, "halvings", MOST_HALVINGS)
        try:
            cells = entry.cells(height, width, halvings)
            check_tiles(grid_of(height, width, halvings), getattr(self.options, "tiles", 2))
        except ValueError as error:
            raise ValueError(f"{where}.options: {error}") from None
        if latent_dim % cells:
            raise ValueError(
                f"{where}.latent_dim: found {latent_dim}, expected a multiple of the "
                f"{cells} cells that {self.network} has for {height}×{width} images"
            )


class RunSpec(ModelSpec):
    """One model to train, as written in params.yaml.

    Attributes:
        latent_dim: numbers in a code, in families that do not follow the top-level ``latent_dim``.
        beta: β, in families that do not follow the top-level ``beta``.
        recipe: replaces the top-level ``recipe``.
        epochs: replaces ``train.epochs``.
        batch_size: replaces ``train.batch_size``.
        learning_rate: replaces ``train.learning_rate``.
    """

    latent_dim: Positive | None = None
    beta: NonNegative | None = None
    recipe: RecipeName | None = None
    epochs: Scaled | None = None
    batch_size: PositiveForRecipe | None = None
    learning_rate: RateForRecipe | None = None


class Family(NamedTuple):
    """The parameters that each run of a family sets itself.

    Attributes:
        own_latent_dim: the run sets ``latent_dim``; otherwise the top-level one counts.
        own_beta: the run sets ``beta`` if its model takes any; otherwise the top-level one counts.
    """

    own_latent_dim: bool
    own_beta: bool


FAMILIES = {
    "plain": Family(own_latent_dim=False, own_beta=False),
    "beta": Family(own_latent_dim=False, own_beta=False),
    "plane": Family(own_latent_dim=True, own_beta=True),
    "scenes": Family(own_latent_dim=True, own_beta=True),
    "paintings": Family(own_latent_dim=True, own_beta=True),
}

MIXED = ("dense_ae", "mixing")
"""The models of the family ``scenes``: their codes can be mixed quadrant by quadrant."""


class Runs(Section):
    """All trainings by family, so that a changed parameter retrains only the models that use it.

    Attributes:
        plain: models without a β.
        beta: models that follow the top-level ``beta``.
        plane: models with two latents, whose whole latent space fits on a page.
        scenes: models of scenes whose codes can be mixed.
        paintings: models of paintings whose latent spaces are mapped.
    """

    plain: dict[Name, RunSpec]
    beta: dict[Name, RunSpec]
    plane: dict[Name, RunSpec]
    scenes: dict[Name, RunSpec]
    paintings: dict[Name, RunSpec]

    def items(self) -> Iterator[tuple[str, str, RunSpec]]:
        """Yield family, name and specification of each run, in the order of the file."""
        for family in FAMILIES:
            for name, spec in getattr(self, family).items():
                yield family, name, spec

    @model_validator(mode="after")
    def _families(self) -> Runs:
        names = [name for _, name, _ in self.items()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"run {twice[0]!r} is in two families; rename one of the two")
        for family, name, spec in self.items():
            _check_family(family, name, spec)
        return self


def _check_family(family: str, name: str, spec: RunSpec) -> None:
    """Raise ValueError unless the run sets exactly the parameters that its family leaves to it."""
    free_beta = MODELS[spec.model].beta is None
    if family in ("plain", "beta") and (family == "beta") != free_beta:
        raise ValueError(
            f"run {name!r} with model {spec.model!r} is under {family!r}; models that take any β "
            "belong under 'beta', the others under 'plain'"
        )
    if (family == "scenes") != (spec.model in MIXED):
        raise ValueError(
            f"run {name!r} with model {spec.model!r} is under {family!r}; "
            f"{' and '.join(MIXED)} belong under 'scenes', the others elsewhere"
        )
    if family == "plane" and spec.latent_dim != 2:
        raise ValueError(f"run {name!r} under 'plane' needs latent_dim 2")
    rules = FAMILIES[family]
    if rules.own_latent_dim and spec.latent_dim is None:
        raise ValueError(f"run {name!r} under {family!r} needs a latent_dim of its own")
    if spec.latent_dim is not None and not rules.own_latent_dim:
        raise ValueError(
            f"run {name!r} under {family!r} follows the top-level latent_dim; remove its own"
        )
    needs_beta = rules.own_beta and free_beta
    if needs_beta != (spec.beta is not None):
        problem = "needs a beta of its own" if needs_beta else "has no beta of its own; remove it"
        raise ValueError(f"run {name!r} under {family!r} with model {spec.model!r} {problem}")


class TrainSpec(Section):
    """The training loop, as written in params.yaml.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step, over all processes together.
        learning_rate: learning rate of Adam.
        schedule: epoch → factor on the learning rate from that epoch on; empty for none.
        patience: stop after this number of epochs without a better validation loss; null never
            stops early.
        precision: number format of the forward and backward passes.
        accelerator: device of the training; ``auto`` takes a GPU where there is one.
        checkpoint_seconds: seconds between two saved states, which an interruption can cost.
    """

    epochs: Scaled
    batch_size: PositiveForRecipe
    learning_rate: RateForRecipe
    schedule: dict[Positive, Rate]
    patience: Positive | None
    precision: Literal["32-true", "bf16-mixed"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    checkpoint_seconds: NonNegative


class Train(TrainSpec):
    """The training loop of one run."""

    batch_size: Positive
    learning_rate: Rate


class BaseRun(Section):
    """A run with every parameter resolved, as far as the training loop needs it.

    Attributes:
        name: of the run.
        family: of the run, or ``study``.
        data: name of a data set.
        model: name of a model.
        recipe: name of the recipe, see `latent_atlas.models.recipes`.
        mean_start: start the decoder at the mean image of the data; false keeps PyTorch's small
            biases.
        seed: of initial weights, order and noise.
        epochs: passes over the training images, in place of ``train.epochs``.
        train: the training loop.
    """

    name: Name
    family: str
    data: Name
    model: str
    recipe: RecipeName
    mean_start: bool = True
    seed: int
    epochs: Positive
    train: Train

    @abstractmethod
    def modules(self) -> list[str]:
        """Dotted names of the modules that decide the weights, beside those of the loop."""

    @abstractmethod
    def title(self) -> str:
        """One line that describes the run, for figures and tables."""


class Run(ModelSpec, BaseRun):
    """A run of an autoencoder: all that its training depends on, beside the images.

    Attributes:
        latent_dim: numbers in a code.
        beta: β.
        loss_weights: term → weight, for the terms of the model's loss.
    """

    latent_dim: Positive
    beta: float
    loss_weights: dict[str, float]

    def modules(self) -> list[str]:
        """Those of model and network; of models that mix images also the neighbour table."""
        partners = ["latent_atlas.data.neighbour_table"] if MODELS[self.model].partners else []
        return [*modules_of(self.model, self.network), *partners]

    def title(self) -> str:
        """One line that describes the run, for figures and tables."""
        return (
            f"{self.name}: {self.model} ({self.network}, {self.likelihood}), "
            f"latent_dim {self.latent_dim}, β {self.beta:g}, {self.recipe} recipe, "
            f"{self.epochs} epochs, seed {self.seed}"
        )
