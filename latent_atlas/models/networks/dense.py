"""The fully convolutional DenseNet of the scene-mixing thesis, and the code as a grid of cells.

Source: Zbinden 2019, tables 3.1 to 3.4, after Jégou et al. 2017 (FC-DenseNet103). An image is
halved down to a grid of cells, 2×2 for 64×64 (`latent_atlas.config.code_grid`). A code is that
grid, cell by cell and row by row, so each quarter of it belongs to a quadrant of the image. The
encoder processes whole images; the receptive field of a cell is larger than the cell's area.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from latent_atlas.config.code_grid import MOST_HALVINGS, cells_of, grid_of, halvings_of
from latent_atlas.models.base import Shape
from latent_atlas.models.networks.decoder import Decoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers

LAYERS = (4, 5, 7, 10, 12, 15)
"""Layers of the dense block before each halving; images of 64×64 use the first five."""

MAPS = 48
"""Maps of the first convolution at full width."""

GROWTH = 16
"""Maps that a layer of a dense block adds at full width."""


def _blocks(shape: Shape, depth: float, halvings: int) -> list[int]:
    """Layers of each dense block for images of this shape, at least one."""
    return [scaled(layers, depth) for layers in LAYERS[: halvings_of(*shape[:2], halvings)]]


def _cell_size(shape: Shape, latent_dim: int, halvings: int) -> int:
    """Numbers per cell of a code."""
    cells = cells_of(*shape[:2], halvings)
    size, rest = divmod(latent_dim, cells)
    if rest:
        raise ValueError(
            f"latent_dim {latent_dim} must be a multiple of the {cells} cells of a "
            f"{shape[0]}×{shape[1]} image"
        )
    return size


def scaled(number: int, factor: float) -> int:
    """`number` times `factor`, rounded, at least one."""
    return max(1, round(number * factor))


def coordinates(like: Tensor) -> Tensor:
    """Vertical and horizontal pixel coordinates from −1 to 1, B×2×H×W for B×C×H×W.

    Liu et al. 2018 (CoordConv).
    """
    size, _, height, width = like.shape
    down = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    right = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    planes = torch.stack(torch.meshgrid(down, right, indexing="ij"))
    return planes.expand(size, -1, -1, -1)


def _activate(maps: Tensor) -> Tensor:
    """Instance norm without affine parameters, then ReLU."""
    variance, mean = torch.var_mean(maps, (2, 3), correction=0, keepdim=True)
    return F.relu((maps - mean) * torch.rsqrt(variance + 1e-5))


class EncoderBlock(nn.ModuleList):
    """Instance norm, ReLU, 3×3 convolution, repeated; each layer reads all maps before it.

    Instance norm has no parameters and treats every map alone. So each map is normalised once, not
    by every layer that reads it: the same numbers for a fraction of the work.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """B×C×H×W to the input and all added maps, normalised and activated."""
        active = _activate(maps)
        for layer in self:
            active = torch.cat([active, _activate(layer(active))], 1)
        return active


class DecoderBlock(nn.ModuleList):
    """ReLU, 3×3 convolution, repeated; each layer reads all maps before it."""

    def forward(self, maps: Tensor) -> Tensor:
        """B×C×H×W to the added maps only."""
        active, added = F.relu(maps), []
        for layer in self:
            added.append(layer(active))
            active = torch.cat([active, F.relu(added[-1])], 1)
        return torch.cat(added, 1)


class DenseEncoder(nn.Module):
    """CoordConv, 3×3 convolution, dense blocks each followed by a transition down, 1×1 convolution.

    Args:
        shape: of the images.
        latent_dim: numbers in a code, a multiple of the cells of its grid; 768 in the thesis.
        heads: number of outputs of `latent_dim` numbers.
        width: factor on all maps.
        depth: factor on the layers of each block.
        halvings: the most halvings; fewer give a code of more and smaller cells.
        layers: without effect, as in both decoders: the blocks have a normalisation of their own.

    Raises:
        ValueError: if the images cannot be halved, or the cells do not divide `latent_dim`.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        heads: int,
        width: float = 1.0,
        depth: float = 1.0,
        halvings: int = MOST_HALVINGS,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        self.heads = heads
        maps, growth = scaled(MAPS, width), scaled(GROWTH, width)
        self.first = nn.Conv2d(shape[2] + 2, maps, 3, padding=1)
        self.blocks, self.transitions = nn.ModuleList(), nn.ModuleList()
        for count in _blocks(shape, depth, halvings):
            self.blocks.append(EncoderBlock(_layers(maps, growth, count)))
            maps += count * growth
            self.transitions.append(nn.Conv2d(maps, maps, 1))
        self.last = nn.Conv2d(maps, heads * _cell_size(shape, latent_dim, halvings), 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor per head."""
        maps = self.first(torch.cat([images, coordinates(images)], 1))
        for block, transition in zip(self.blocks, self.transitions, strict=True):
            maps = F.max_pool2d(transition(block(maps)), 2)
        grids = self.last(maps).chunk(self.heads, 1)
        return [grid.permute(0, 2, 3, 1).flatten(1) for grid in grids]


class DenseDecoder(Decoder):
    """Transitions up, each followed by a dense block, and a 1×1 convolution over all its maps.

    Only the maps that a block adds are passed to the next block. A transition up repeats each pixel
    twice and convolves (Odena et al. 2016). Every convolution is spectrally normalised (Miyato et
    al. 2018): its weight is divided by an estimate of its largest singular value, which is part of
    the checkpoint. The transitions have no bias, as in the author's code and in agreement with the
    published parameter count.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        width: float = 1.0,
        depth: float = 1.0,
        halvings: int = MOST_HALVINGS,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        self._grid = grid_of(*shape[:2], halvings)
        growth, blocks = scaled(GROWTH, width), _blocks(shape, depth, halvings)
        self._maps = maps = _cell_size(shape, latent_dim, halvings)
        self.transitions, self.blocks = nn.ModuleList(), nn.ModuleList()
        for number in reversed(range(len(blocks))):
            # As many maps as the encoder has behind its block of this size.
            kept = scaled(MAPS, width) + growth * sum(blocks[: number + 1])
            up = nn.Conv2d(maps, kept, 3, padding=1, bias=False)
            self.transitions.append(spectral_norm(up))
            inner = _layers(kept, growth, blocks[number])
            self.blocks.append(DecoderBlock(spectral_norm(layer) for layer in inner))
            maps = growth * blocks[number]
        self.last = spectral_norm(nn.Conv2d(kept + maps, shape[2], 1))

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        with parametrize.cached():  # each weight is normalised once
            added = codes.view(-1, *self._grid, self._maps).permute(0, 3, 1, 2)
            kept = added
            for transition, block in zip(self.transitions, self.blocks, strict=True):
                kept = transition(_doubled(added))
                added = block(kept)
            outputs: Tensor = self.last(torch.cat([kept, added], 1))
        return outputs

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Set the last biases to the mean of `outputs`, C×H×W, per channel."""
        self.last.get_parameter("bias").copy_(outputs.mean((1, 2)))


class BroadcastDecoder(Decoder):
    """The whole code at every pixel, with the pixel's coordinates, and five convolutions.

    The spatial broadcast decoder of Watters et al. 2019, which the thesis tried and dropped
    (appendix D.5). `depth` and `halvings` have no effect.
    """

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        width: float = 1.0,
        depth: float = 1.0,
        halvings: int = MOST_HALVINGS,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        self._size = shape[:2]
        maps = scaled(64, width)
        widths = (latent_dim + 2, maps, maps, maps, maps)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 3, padding=1) for inner, outer in pairwise(widths)
        )
        self.last = nn.Conv2d(maps, shape[2], 1)

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        maps = codes[:, :, None, None].expand(-1, -1, *self._size)
        maps = torch.cat([maps, coordinates(maps)], 1)
        for convolution in self.convolutions:
            maps = F.relu(convolution(maps))
        outputs: Tensor = self.last(maps)
        return outputs

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Set the last biases to the mean of `outputs`, C×H×W, per channel."""
        self.last.get_parameter("bias").copy_(outputs.mean((1, 2)))


def _layers(maps: int, growth: int, count: int) -> list[nn.Conv2d]:
    """The convolutions of a dense block: each reads the block's input and all layers before it."""
    return [nn.Conv2d(maps + number * growth, growth, 3, padding=1) for number in range(count)]


def _doubled(maps: Tensor) -> Tensor:
    """Repeat each pixel twice in both directions."""
    return F.interpolate(maps, scale_factor=2, mode="nearest")
