"""What a model owes the training loop, and what the loop gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

Shape = tuple[int, int, int]
"""Height, width and channels of an image."""


@dataclass(frozen=True)
class Recipe:
    """What a model is built from; each takes what it needs.

    Attributes:
        shape: of the images.
        latent_dim: numbers in a code.
        network: a name in `latent_atlas.config.registry.NETWORKS`.
        likelihood: ``bernoulli`` or ``gaussian``.
        beta: weight of the latent loss, ≥ 0.
        weights: weight of each term of the loss that the model's registry line names.
        options: the model's further knobs, as its registry line names them.
    """

    shape: Shape
    latent_dim: int
    network: str
    likelihood: str
    beta: float
    weights: Mapping[str, float]
    options: Mapping[str, bool | int | float | str]


class Batch(NamedTuple):
    """What a model sees of B images.

    Attributes:
        images: B×C×H×W in [0, 1], float32.
        noise: B×`Model.noise_dim`, standard normal. The loop draws it for the global batch from
            (seed, step), so results do not depend on processes, interruptions or batch size.
        labels: B class numbers, −1 where unknown.
        progress: share of the training that is done, in [0, 1], for losses that change with it.
        others: B×K×C×H×W further images of each sample, for models that compare or mix images.
        distances: B×K, how far each of them is, as a quantile of all distances.
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
    """One update within a training step: which parts move, down which loss.

    Attributes:
        parts: names of the model's submodules whose weights move; empty for all.
        loss: the term of `Model.forward` that is minimised.
        betas: of Adam.
        repeat: how many updates in a row.
        rate: step, counted over the whole training from 0 → factor on the learning rate.
        begin, end: the share of the training's epochs from which and up to which it takes part.
    """

    parts: tuple[str, ...] = ()
    loss: str = "loss"
    betas: tuple[float, float] = (0.9, 0.999)
    repeat: int = 1
    rate: Callable[[int], float] = _constant
    begin: float = 0.0
    end: float = 1.0

    def acts(self, epoch: int, epochs: int) -> bool:
        """Whether it takes part in `epoch` (from 1) of `epochs`."""
        return self.begin <= (epoch - 1) / epochs < self.end


class Model(nn.Module):
    """An encoder and a decoder with a loss.

    A subclass is built from a `Recipe`, sets `latent_dim` and `noise_dim`, and defines the methods.
    `forward` returns every term of the loss as B numbers, one an image and summed over its pixels
    or latents; the term that the phase names is minimised, ``loss`` unless it says otherwise. Means
    over images are the loop's business, which keeps them exact for any batch size and number of
    processes. A term that compares images of a batch stands in each of its B numbers.
    """

    compares: bool = False
    """Whether a term compares images of a batch, so that it depends on which ones come together."""

    latent_dim: int
    noise_dim: int

    def start_from(self, mean_image: Tensor) -> None:
        """Begin where the decoder puts out the data's mean image, C×H×W in [0, 1].

        Burda et al. 2016 set the biases of the visible units so. Without it a mostly black image
        first drives every unit down, and the rest of the picture waits for a bias to climb.
        """
        raise NotImplementedError

    def check_labels(self, labels: Tensor) -> None:
        """Refuse training images that the model cannot learn from.

        Args:
            labels: their class numbers, −1 where unknown.

        Raises:
            ValueError: with the rest of a sentence that begins with the model's name.
        """

    def phases(self) -> dict[str, Phase]:
        """The updates of a training step by name, in order: by default one, of all weights."""
        return {"model": Phase()}

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The terms of a phase's loss, B float32 numbers each.

        No two phases of the same epoch share a name.
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
