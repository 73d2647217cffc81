"""The network of the paintings: four convolutions, and a linear layer on each side of the code.

Source: Rich 2021, "Exploring the latent space of autoencoders with a metric of artistic style",
section 5.2: four convolutions, linear layers around a code of 4,096, ReLU between all layers. The
report does not state kernels and channels; here they are 4×4 of stride 2, and 32-64-128-256. No
activation follows the code or the last layer: codes are unbounded, and the outputs are the
parameters of a `Likelihood`.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.networks.decoder import TransposedDecoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers

PUBLISHED_CODE = 4096
"""Numbers in a code of the report, chosen there among 128 to 4,096 by the reconstruction loss."""

_CHANNELS = (32, 64, 128, 256)
_STRIDES = 2 ** len(_CHANNELS)


class Conv4Encoder(nn.Module):
    """Four 4×4 convolutions of stride 2, then linear heads; 64×64 give 4,096 features.

    Args:
        shape: height and width divisible by 16, any number of channels.
        latent_dim: numbers in a code.
        heads: number of outputs of `latent_dim` numbers, e.g. 2 for mean and log-variance.
        width: factor on all channels.
        layers: kind of the layers; the report has ReLU.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int = PUBLISHED_CODE,
        heads: int = 1,
        width: float = 1.0,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        maps = _maps(shape, width)
        widths = (shape[2], *_channels(width))
        self.inputs = layers.inputs(shape[2])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 4, stride=2, padding=1) for inner, outer in pairwise(widths)
        )
        features = maps[0] * maps[1] * maps[2]
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


class Conv4Decoder(TransposedDecoder):
    """The mirror of `Conv4Encoder`: linear, then four transposed convolutions."""

    def __init__(
        self,
        shape: Shape,
        latent_dim: int = PUBLISHED_CODE,
        width: float = 1.0,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__(latent_dim, _maps(shape, width))
        widths = (*_channels(width)[::-1], shape[2])
        convolutions = [
            nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1)
            for inner, outer in pairwise(widths)
        ]
        self.add(convolutions, layers)


def _channels(width: float) -> tuple[int, ...]:
    return tuple(max(1, round(channels * width)) for channels in _CHANNELS)


def _maps(shape: Shape, width: float) -> tuple[int, int, int]:
    """Channels, height and width of the last maps."""
    height, across, _ = shape
    if height % _STRIDES or across % _STRIDES or min(height, across) < _STRIDES:
        raise ValueError(
            f"the conv4 network halves an image four times, so height and width must be multiples "
            f"of {_STRIDES}; found {height}×{across}"
        )
    return _channels(width)[-1], height // _STRIDES, across // _STRIDES
