"""The convolutional network of the fashion VAE thesis: five 5×5 convolutions of stride 2.

Source: fashion VAE thesis, tables 4.1 (encoder) and 4.2 (decoder).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.fast_ops import UpConvolution
from latent_atlas.models.networks.decoder import TransposedDecoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers

_CHANNELS = (8, 16, 32, 64, 128)


def _channels(layers: Layers) -> tuple[int, ...]:
    return tuple(max(channels, layers.maps) for channels in _CHANNELS)


class ConvEncoder(nn.Module):
    """Five convolutions with activations, 8-16-32-64-128 channels, then linear heads.

    96×64 images give 3×2×128 = 768 features.

    Args:
        shape: height and width divisible by 32, any number of channels.
        latent_dim: numbers in a code.
        heads: number of outputs of `latent_dim` numbers, e.g. 2 for mean and log-variance.
        layers: kind of the layers, and the smallest number of channels; published with ReLU.
    """

    def __init__(
        self, shape: Shape, latent_dim: int, heads: int, layers: Layers = PUBLISHED
    ) -> None:
        super().__init__()
        height, width, channels = _divisible_by_32(shape)
        widths = (channels, *_channels(layers))
        self.inputs = layers.inputs(channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 5, stride=2, padding=2) for inner, outer in pairwise(widths)
        )
        features = widths[-1] * (height // 32) * (width // 32)
        self.heads = nn.ModuleList(nn.Linear(features, latent_dim) for _ in range(heads))
        self.activations = nn.ModuleList(layers.activation(width) for width in widths[1:])
        layers.initialise(*self.convolutions, *self.heads)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor per head."""
        hidden = self.inputs(images)
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            hidden = activation(convolution(hidden))
        features = hidden.flatten(1)
        return [head(features) for head in self.heads]


class ConvDecoder(TransposedDecoder):
    """The mirror of `ConvEncoder`: linear, then five transposed convolutions."""

    def __init__(self, shape: Shape, latent_dim: int, layers: Layers = PUBLISHED) -> None:
        height, width, channels = _divisible_by_32(shape)
        widths = _channels(layers)
        super().__init__(latent_dim, (widths[-1], height // 32, width // 32))
        *deep, first, second, last = pairwise((*widths[::-1], channels))
        convolutions: list[nn.ConvTranspose2d] = [
            nn.ConvTranspose2d(inner, outer, 5, stride=2, padding=2, output_padding=1)
            for inner, outer in deep
        ]
        convolutions += [UpConvolution(inner, outer) for inner, outer in (first, second, last)]
        self.add(convolutions, layers)


def _divisible_by_32(shape: Shape) -> Shape:
    height, width, _ = shape
    if height % 32 or width % 32 or min(height, width) < 32:
        raise ValueError(
            f"the conv network halves an image five times, so height and width must be multiples "
            f"of 32; found {height}×{width}"
        )
    return shape
