"""The spatial broadcast decoder and its encoder (Watters et al. 2019), for any image size.

The code is repeated at every pixel, beside two channels with the pixel's coordinates. Unpadded
convolutions follow, on a grid with a margin that they use up. So a shift of an object is an
addition to a coordinate, which a single latent can express; a decoder that enlarges a small map has
to learn every position separately.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.networks.decoder import Decoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers

CONVOLUTIONS = 3
"""Number of 3×3 convolutions before the last one, which is 1×1."""

LEAST_SIDE = 16
"""Shortest side of an image in pixels: the encoder halves it four times."""


class BroadcastEncoder(nn.Module):
    """Four 4×4 convolutions of stride 2 and a linear layer, then linear heads.

    Args:
        shape: height and width 16 or more.
        latent_dim: numbers in a code.
        heads: number of outputs of `latent_dim` numbers, e.g. 2 for mean and log-variance.
        maps: of each convolution.
        features: of the linear layer.
        layers: kind of the layers.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        heads: int,
        maps: int = 64,
        features: int = 256,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < LEAST_SIDE:
            raise ValueError(f"found {height}×{width}, expected sides of {LEAST_SIDE} or more")
        self.inputs = layers.inputs(channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 4, stride=2, padding=1)
            for inner, outer in pairwise((channels, maps, maps, maps, maps))
        )
        self.linear = nn.Linear(maps * (height // 16) * (width // 16), features)
        self.heads = nn.ModuleList(nn.Linear(features, latent_dim) for _ in range(heads))
        self.activations = nn.ModuleList(layers.activation(maps) for _ in self.convolutions)
        self.activate = layers.activate
        layers.initialise(*self.convolutions, self.linear, *self.heads)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor per head."""
        hidden = self.inputs(images)
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            hidden = activation(convolution(hidden))
        features = self.activate(self.linear(hidden.flatten(1)))
        return [head(features) for head in self.heads]


class BroadcastDecoder(Decoder):
    """The code and the coordinates at every pixel, 3×3 convolutions, and a 1×1 one.

    Args:
        shape: of the images, any size.
        latent_dim: numbers in a code.
        maps: of each convolution.
        side: image pixels per grid cell, in each direction. With more than one, the last
            convolution outputs all pixels of a cell (Shi et al. 2016), which divides the work by
            side².
        layers: kind of the layers.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        maps: int = 64,
        side: int = 1,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        self._size, self._side = shape[:2], side
        rows, columns = (-(-length // side) for length in self._size)
        self.register_buffer("planes", planes(rows, columns, CONVOLUTIONS), persistent=False)
        widths = (latent_dim + 2, *[maps] * CONVOLUTIONS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 3) for inner, outer in pairwise(widths)
        )
        self.last = nn.Conv2d(maps, shape[2] * side**2, 1)
        self.activate = layers.activate
        layers.initialise(*self.convolutions, self.last)

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        grid = self.get_buffer("planes").to(codes.dtype).expand(len(codes), -1, -1, -1)
        maps = torch.cat([codes[:, :, None, None].expand(-1, -1, *grid.shape[2:]), grid], 1)
        for convolution in self.convolutions:
            maps = self.activate(convolution(maps))
        outputs = F.pixel_shuffle(self.last(maps), self._side)
        height, width = self._size
        return outputs[:, :, :height, :width]

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Set the last biases to the mean of `outputs`, C×H×W, per channel."""
        means = outputs.mean((1, 2)).repeat_interleave(self._side**2)
        self.last.get_parameter("bias").copy_(means)


class SmallBroadcastEncoder(BroadcastEncoder):
    """Half the maps and features, for a CPU."""

    def __init__(
        self, shape: Shape, latent_dim: int, heads: int, layers: Layers = PUBLISHED
    ) -> None:
        super().__init__(shape, latent_dim, heads, maps=32, features=128, layers=layers)


class SmallBroadcastDecoder(BroadcastDecoder):
    """Half the maps, on a grid of 4×4 pixels a cell, for a CPU."""

    def __init__(self, shape: Shape, latent_dim: int, layers: Layers = PUBLISHED) -> None:
        super().__init__(shape, latent_dim, maps=32, side=4, layers=layers)


def planes(rows: int, columns: int, margin: int) -> Tensor:
    """Vertical and horizontal coordinates of cells: 2×(rows + 2·margin)×(columns + 2·margin).

    The cells of the image range from −1 to 1; the margin continues in the same steps.
    """
    down, right = (
        torch.arange(-margin, count + margin) * (2 / max(1, count - 1)) - 1
        for count in (rows, columns)
    )
    return torch.stack(torch.meshgrid(down, right, indexing="ij"))
