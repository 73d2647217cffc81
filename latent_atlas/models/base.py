"""The interface between models and the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from latent_atlas.config.section import Options
from latent_atlas.models.networks.layers import PUBLISHED, Layers

Shape = tuple[int, int, int]
"""Height, width and channels of an image."""


@dataclass(frozen=True)
class ModelConfig:
    """The parameters from which a model is built.

    Attributes:
        shape: of the images.
        latent_dim: numbers in a code.
        network: a name in `latent_atlas.config.registry.NETWORKS`.
        likelihood: ``bernoulli`` or ``gaussian``.
        beta: weight of the KL, ≥ 0.
        weights: weight of each loss term that the registry names for the model.
        options: of the class that the registry names for the model.
        layers: kind of the layers of encoder and decoder.
        kl_warm_up: share of the training in which the weight of the KL rises from 0 to β.
    """

    shape: Shape
    latent_dim: int
    network: str
    likelihood: str
    beta: float
    weights: Mapping[str, float]
    options: Options = field(default_factory=Options)
    layers: Layers = PUBLISHED
    kl_warm_up: float = 0.0


class Batch(NamedTuple):
    """B images with all that a model computes its loss from.

    Attributes:
        images: B×C×H×W in [0, 1], float32.
        noise: B×`Model.noise_dim`, standard normal. The loop draws it for the global batch from
            (seed, step), so results do not depend on processes or interruptions.
        labels: B class numbers, −1 where unknown.
        progress: share of the training that is done, in [0, 1], for losses that change with it.
        others: B×K×C×H×W partner images of each image, for models that mix or translate images.
        distances: B×K distances of the partners, as quantiles of all distances.
        attributes: B×A numbers of the values of A attributes, for models of attributes.
        targets: B×A, the attributes of the first partner.
    """

    images: Tensor
    noise: Tensor
    labels: Tensor
    progress: float = 0.0
    others: Tensor | None = None
    distances: Tensor | None = None
    attributes: Tensor | None = None
    targets: Tensor | None = None


class Stateful(Protocol):
    """Something whose state can be saved and restored."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, texts, lists and dictionaries."""

    def load_state_dict(self, state: dict[str, Any], /) -> object:
        """Take over what `state_dict` returned."""


def _constant(_: float) -> float:
    return 1.0


@dataclass(frozen=True)
class Phase:
    """One update within a training step.

    Attributes:
        parts: names of the submodules whose weights are updated; empty for all.
        loss: the term of `Model.forward` that is minimised.
        betas: β₁ and β₂ of Adam; None for 0.9 and that of the recipe.
        weight_decay: of Adam, as part of the gradient.
        repeat: number of updates in a row.
        every: the phase is active in the last of this number of steps, counted over the training.
        rate: step, counted over the whole training from 0 → factor on the learning rate.
        decay: share of the phase's steps that are done, in [0, 1] → a further factor on it.
        begin, end: the shares of the epochs between which the phase is active.
    """

    parts: tuple[str, ...] = ()
    loss: str = "loss"
    betas: tuple[float, float] | None = None
    weight_decay: float = 0.0
    repeat: int = 1
    every: int = 1
    rate: Callable[[int], float] = _constant
    decay: Callable[[float], float] = _constant
    begin: float = 0.0
    end: float = 1.0

    def acts(self, epoch: int, epochs: int) -> bool:
        """Whether the phase is active in `epoch` (from 1) of `epochs`."""
        return self.begin <= (epoch - 1) / epochs < self.end

    def is_due(self, step: int) -> bool:
        """Whether the phase is active in `step`, counted over the training from 0."""
        return (step + 1) % self.every == 0


class Model(nn.Module, ABC):
    """A network with a loss: all that the training loop needs.

    A subclass sets `noise_dim` and defines `forward`, which returns every loss term as B numbers,
    one per image, summed over its pixels or latents. The training minimises the term that the phase
    names, by default ``loss``. The loop computes the means over images, so that they are exact for
    any batch size and number of processes. A term that compares the images of a batch has the same
    value in all B numbers.
    """

    compares: bool = False
    """Whether a term compares the images of a batch, and so depends on their composition."""

    random: bool = False
    """Whether `forward` draws numbers (dropout, image pools); the loop then seeds each phase."""

    watched: bool = False
    """Whether the norm of each phase's gradient is part of the history."""

    noise_dim: int

    def start_from(self, mean_image: Tensor) -> None:
        """Set biases so that the untrained decoder's output is the mean image, if there is one."""

    def check_labels(self, labels: Tensor) -> None:
        """Check that the model can learn from images with these labels.

        Args:
            labels: class numbers of the training images, −1 where unknown.

        Raises:
            ValueError: if it cannot; the message continues a sentence that starts with the model's
                name.
        """

    def phases(self) -> dict[str, Phase]:
        """Name → update of a training step, in order; by default one, of all weights."""
        return {"model": Phase()}

    @abstractmethod
    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss terms of a phase, B float32 numbers each.

        The names of the terms differ between the phases of an epoch.
        """

    def end_step(self) -> None:
        """Called after the updates of every step, for averages of weights."""

    def memory(self) -> dict[str, Stateful]:
        """Name → state of the training that no checkpoint holds, e.g. pools of images."""
        return {}

    def collapse(self, row: Mapping[str, float]) -> str:
        """Why the training should stop after the epoch with this row of the history; else ""."""
        return ""


class Autoencoder(Model):
    """An encoder and a decoder with a loss, built from a `ModelConfig`."""

    latent_dim: int

    @abstractmethod
    def start_from(self, mean_image: Tensor) -> None:
        """Set biases so that the untrained decoder's output is the mean image, C×H×W in [0, 1].

        Burda et al. 2016 initialise the biases of the visible units in this way. Without it,
        mostly black images first lower all outputs, and learning the rest of the image is delayed.
        """

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """The codes of B×C×H×W images in [0, 1]: B×latent_dim (a posterior's mean)."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """The images of B×latent_dim codes: B×C×H×W in [0, 1], float32."""

    @abstractmethod
    def log_variance(self, images: Tensor) -> Tensor | None:
        """B×latent_dim log-variances of the posterior; None for a deterministic encoder."""
