"""The interface between models and the training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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
        others: B×K×C×H×W partner images of each image, for models that mix images.
        distances: B×K distances of the partners, as quantiles of all distances.
    """

    images: Tensor
    noise: Tensor
    labels: Tensor
    progress: float = 0.0
    others: Tensor | None = None
    distances: Tensor | None = None


def _constant(step: int) -> float:
    return 1.0


@dataclass(frozen=True)
class Phase:
    """One update within a training step.

    Attributes:
        parts: names of the submodules whose weights are updated; empty for all.
        loss: the term of `Model.forward` that is minimised.
        betas: β₁ and β₂ of Adam.
        repeat: number of updates in a row.
        rate: step, counted over the whole training from 0 → factor on the learning rate.
        begin, end: the shares of the epochs between which the phase is active.
    """

    parts: tuple[str, ...] = ()
    loss: str = "loss"
    betas: tuple[float, float] = (0.9, 0.999)
    repeat: int = 1
    rate: Callable[[int], float] = _constant
    begin: float = 0.0
    end: float = 1.0

    def acts(self, epoch: int, epochs: int) -> bool:
        """Whether the phase is active in `epoch` (from 1) of `epochs`."""
        return self.begin <= (epoch - 1) / epochs < self.end


class Model(nn.Module):
    """An encoder and a decoder with a loss.

    A subclass is built from a `ModelConfig`, sets `latent_dim` and `noise_dim`, and defines the
    methods. `forward` returns every loss term as B numbers, one per image, summed over its pixels
    or latents. The training minimises the term that the phase names, by default ``loss``. The loop
    computes the means over images, so that they are exact for any batch size and number of
    processes. A term that compares the images of a batch has the same value in all B numbers.
    """

    compares: bool = False
    """Whether a term compares the images of a batch, and so depends on their composition."""

    latent_dim: int
    noise_dim: int

    def start_from(self, mean_image: Tensor) -> None:
        """Set biases so that the untrained decoder's output is the mean image, C×H×W in [0, 1].

        Burda et al. 2016 initialise the biases of the visible units in this way. Without it,
        mostly black images first lower all outputs, and learning the rest of the image is delayed.
        """
        raise NotImplementedError

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

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss terms of a phase, B float32 numbers each.

        The names of the terms differ between the phases of an epoch.
        """
        raise NotImplementedError

    def encode(self, images: Tensor) -> Tensor:
        """The codes of B×C×H×W images in [0, 1]: B×latent_dim (a posterior's mean)."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """The images of B×latent_dim codes: B×C×H×W in [0, 1], float32."""
        raise NotImplementedError

    def log_variance(self, images: Tensor) -> Tensor | None:
        """B×latent_dim log-variances of the posterior; None for a deterministic encoder."""
        raise NotImplementedError
