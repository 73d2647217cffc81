"""The interfaces of models that generate or translate images, and their configuration.

Inside a model, images lie in [−1, 1], the range of tanh; its methods take and return [0, 1].
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from torch import Tensor

from latent_atlas.config.section import Options
from latent_atlas.models.base import Model, Shape


@dataclass(frozen=True)
class TranslatorConfig:
    """The parameters from which a model is built.

    Attributes:
        shape: of the images.
        sizes: number of values of each attribute; ``(2,)`` for two domains, 0 from and 1 to;
            ``()`` for models without attributes.
        reverse: of a model of pairs: its input is the partner, its target the image of the store.
        options: of the class that the registry names for the model.
    """

    shape: Shape
    sizes: tuple[int, ...]
    reverse: bool = False
    options: Options = field(default_factory=Options)


class Generator(Model):
    """A model that makes images of random codes."""

    code_dim: int
    """Standard normal numbers of a code."""

    @abstractmethod
    def generate(self, codes: Tensor, attributes: Tensor) -> Tensor:
        """B×code_dim codes and B×A attribute values to B×C×H×W images in [0, 1], float32."""


class Translator(Model):
    """A model that changes attributes of images."""

    style_dim: int = 0
    """Standard normal numbers from which an output is drawn; 0 where an input has one output."""

    @abstractmethod
    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate images.

        Args:
            images: B×C×H×W in [0, 1].
            attributes: B×A values that they have.
            targets: B×A values that they shall have; ``attributes`` gives a reconstruction.
            noise: B×`style_dim`.

        Returns:
            B×C×H×W in [0, 1], float32.
        """


def to_signed(images: Tensor) -> Tensor:
    """[0, 1] to [−1, 1]."""
    return images * 2 - 1


def to_unit(images: Tensor) -> Tensor:
    """[−1, 1] to [0, 1], float32."""
    return (images.float() + 1) / 2
