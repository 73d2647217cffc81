"""The runs of params.yaml: which model is trained on which data, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from latent_atlas.config.code_grid import MOST_HALVINGS, check_tiles, grid_of
from latent_atlas.config.messages import did_you_mean, hint
from latent_atlas.config.registry import MODELS, NETWORKS, ModelEntry, Option
from latent_atlas.config.section import Likelihood, Name, Positive, Scaled, Section


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
        reconstruction: of the autoencoders and VAEs.
        mixing_reconstruction, adversarial, classifier: of the mixing model, at the published scale.
    """

    reconstruction: Annotated[float, Field(gt=0)]
    mixing_reconstruction: Annotated[float, Field(ge=0)]
    adversarial: Annotated[float, Field(ge=0)]
    classifier: Annotated[float, Field(ge=0)]


class RunSpec(Section):
    """One model to train, as written in params.yaml.

    Attributes:
        latent_dim, beta: of its own, in the families whose runs do not follow the top-level ones.
        epochs, batch_size, learning_rate: in place of those under ``train``.
        options: knobs of this model alone; those left out have the defaults of the registry.
    """

    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    latent_dim: Positive | None = None
    beta: Annotated[float, Field(ge=0)] | None = None
    epochs: Scaled | None = None
    batch_size: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    options: dict[str, Option] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _suits_model(self) -> RunSpec:
        check_options(self.model, self.options)
        check_suits(self.model, self.network, self.likelihood)
        return self


def check_suits(model: str, network: str, likelihood: str) -> None:
    """Raise ValueError unless `model` can be built of this network, with this likelihood."""
    entry = MODELS[model]
    for key, found, allowed in (
        ("network", network, entry.networks or tuple(NETWORKS)),
        ("likelihood", likelihood, entry.likelihoods),
    ):
        if found not in allowed:
            raise ValueError(
                f"{key}: found {found!r}, but model {model!r} takes {' or '.join(allowed)}"
            )


_KINDS = {bool: "a boolean", int: "an integer", float: "a number", str: "text"}


def check_options(model: str, options: Mapping[str, Option]) -> dict[str, Option]:
    """All options of `model`, with the defaults of those left out.

    Raises:
        ValueError: for an option that the model does not have, or a value that it cannot have.
    """
    defaults = MODELS[model].options
    for key, value in options.items():
        if key not in defaults:
            known = ", ".join(defaults) or "none"
            raise ValueError(
                f"options: model {model!r} has no option {key!r}"
                f"{did_you_mean(key, defaults)} (it has {known})"
            )
        kinds = (int, float) if isinstance(defaults[key], float) else type(defaults[key])
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(
            defaults[key], bool
        ):
            raise ValueError(
                f"options.{key}: found {value!r}, expected {_KINDS[type(defaults[key])]} "
                f"like {defaults[key]!r}{hint(value)}"
            )
        known_words = MODELS[model].choices.get(key)
        if known_words is not None and value not in known_words:
            raise ValueError(
                f"options.{key}: found {value!r}, expected one of {', '.join(known_words)}"
                f"{did_you_mean(str(value), known_words)}"
            )
        if isinstance(value, int | float):
            _check_range(MODELS[model], key, value)
    return {**defaults, **options}


def _check_range(entry: ModelEntry, key: str, value: float) -> None:
    """Raise ValueError for a number that the option `key` cannot be: none may be below 0."""
    least = entry.least.get(key, 0)
    if key in entry.shares and not 0 <= value <= 1:
        raise ValueError(f"options.{key}: found {value!r}, expected a share from 0 to 1")
    if value < least:
        raise ValueError(f"options.{key}: found {value!r}, expected {least} or more")


class Family(NamedTuple):
    """What the runs of a family fix themselves, and what follows the top-level knobs."""

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
    """All trainings by family, so that a knob retrains only the models that it turns.

    Attributes:
        plain: models without a β.
        beta: models that follow the top-level ``beta``.
        plane: models with two latents, whose whole latent space fits on a page.
        scenes: models of scenes that can be mixed, see docs/mixing.md.
        paintings: models of paintings whose latent spaces are mapped, see docs/cartography.md.
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
            raise ValueError(f"run {twice[0]!r} stands in two families; give it two names")
        for family, name, spec in self.items():
            _check_family(family, name, spec)
        return self


def _check_family(family: str, name: str, spec: RunSpec) -> None:
    """Raise ValueError unless the run sets just the knobs that its family leaves to it."""
    free_beta = MODELS[spec.model].beta is None
    if family in ("plain", "beta") and (family == "beta") != free_beta:
        raise ValueError(
            f"run {name!r} with model {spec.model!r} stands under {family!r}; models with a β "
            "of any size belong under 'beta', the others under 'plain'"
        )
    if (family == "scenes") != (spec.model in MIXED):
        raise ValueError(
            f"run {name!r} with model {spec.model!r} stands under {family!r}; "
            f"{' and '.join(MIXED)} belong under 'scenes', the others elsewhere"
        )
    if family == "plane" and spec.latent_dim != 2:
        raise ValueError(f"run {name!r} under 'plane' needs latent_dim 2")
    rules = FAMILIES[family]
    if rules.own_latent_dim != (spec.latent_dim is not None):
        raise ValueError(
            f"run {name!r} under {family!r} "
            + (
                "needs a latent_dim of its own"
                if rules.own_latent_dim
                else "follows the top-level latent_dim; remove its own"
            )
        )
    if (rules.own_beta and free_beta) != (spec.beta is not None):
        raise ValueError(
            f"run {name!r} under {family!r} with model {spec.model!r} "
            + (
                "has no beta of its own; remove it"
                if spec.beta is not None
                else "needs a beta of its own"
            )
        )


class Train(Section):
    """The training loop.

    Attributes:
        batch_size: images a step, over all processes together.
        learning_rate: of Adam.
        schedule: epoch → factor on the learning rate from that epoch on; empty for none.
        patience: stop after so many epochs without a better validation loss; null never stops.
        precision: ``32-true`` or ``bf16-mixed``.
        accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        checkpoint_seconds: how much work an interruption may cost.
        mean_start: the untrained decoder puts out the data's mean image; false leaves it at
            PyTorch's small biases.
    """

    epochs: Scaled
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: dict[Positive, Annotated[float, Field(gt=0)]]
    patience: Positive | None
    precision: Literal["32-true", "bf16-mixed"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    checkpoint_seconds: Annotated[float, Field(ge=0)]
    mean_start: bool = True


class Run(Section):
    """A run with every knob resolved: all that its training depends on, beside the data."""

    name: Name
    family: str
    data: Name
    model: ModelName
    network: NetworkName
    likelihood: Likelihood
    latent_dim: Positive
    beta: float
    loss_weights: dict[str, float]
    options: Annotated[dict[str, Option], Field(default_factory=dict, validate_default=True)]
    seed: int
    epochs: Positive
    train: Train

    @field_validator("options")
    @classmethod
    def _every_option(cls, options: dict[str, Option], run: ValidationInfo) -> dict[str, Option]:
        """Give options that are younger than a checkpoint their defaults, which change nothing."""
        return check_options(run.data["model"], options) if "model" in run.data else options

    def title(self) -> str:
        """The run in a line, for figures and tables."""
        return (
            f"{self.name}: {self.model} ({self.network}, {self.likelihood}), "
            f"latent_dim {self.latent_dim}, β {self.beta:g}, {self.epochs} epochs, seed {self.seed}"
        )


def check_network(network: str, height: int, width: int, where: str, data: str) -> None:
    """Raise ValueError if images of this size do not fit `network`, naming the key `where`."""
    multiple = NETWORKS[network].multiple
    if height % multiple or width % multiple:
        free = ", ".join(name for name, entry in NETWORKS.items() if entry.multiple == 1)
        raise ValueError(
            f"{where}.network: {network} takes multiples of {multiple}, but {data} is "
            f"{height}×{width}; change height and width, or choose {free}"
        )


def check_cells(
    network: str,
    height: int,
    width: int,
    latent_dim: int,
    where: str,
    options: Mapping[str, Option],
) -> None:
    """Raise ValueError if a code of this size cannot be shared out among the cells of `network`.

    Or if the cells cannot be shared out among the tiles that the model's `options` ask for.
    """
    cells = NETWORKS[network].cells
    if cells is None:
        return
    most = int(options.get("halvings", MOST_HALVINGS))
    try:
        count = cells(height, width, most)
        check_tiles(grid_of(height, width, most), int(options.get("tiles", 2)))
    except ValueError as error:
        raise ValueError(f"{where}.options: {error}") from None
    if latent_dim % count:
        raise ValueError(
            f"{where}.latent_dim: found {latent_dim}, expected a multiple of the "
            f"{count} cells that {network} has for {height}×{width} images"
        )
