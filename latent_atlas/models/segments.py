"""Figure and ground in the tiles of an image, without labels, as a mask for mixing.

What stands in the middle of a tile and nowhere at its border is taken for its object: a pixel is
figure if no pixel on the border of its tile has about its colour (the boundary prior of Wei et al.
2012, "Geodesic saliency using background priors", without the paths). The author of the mixing
autoencoder left mixing by segments open (Zbinden 2019, chapter 5).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STANDS_OUT = 0.06
"""Euclidean distance of colours in [0, 1] from the nearest on the border."""

REACHED = 0.25
"""A cell of a code is exchanged if so much of its place is."""

_SIDE = 32  # pixels; larger tiles are looked at in this size


def cut(images: Tensor, tiles: int) -> Tensor:
    """B×C×H×W images to B×K×C×(H/tiles)×(W/tiles) tiles, K = tiles², row by row."""
    count, channels, height, width = images.shape
    inner = (height // tiles, width // tiles)
    parts = images.reshape(count, channels, tiles, inner[0], tiles, inner[1])
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(count, tiles**2, channels, *inner)


def join(parts: Tensor, tiles: int) -> Tensor:
    """What `cut` took apart."""
    count, _, channels, height, width = parts.shape
    square = parts.reshape(count, tiles, tiles, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return square.reshape(count, channels, tiles * height, tiles * width)


def own_tiles(others: Tensor, tiles: int) -> Tensor:
    """B×K×C×H×W images to B×C×H×W: tile k of the k-th."""
    count, number = others.shape[:2]
    parts = cut(others.flatten(0, 1), tiles)
    parts = parts.view(count, number, number, *parts.shape[2:])
    return join(parts.diagonal(dim1=1, dim2=2).movedim(-1, 1), tiles)


def figures(images: Tensor, tiles: int) -> Tensor:
    """The figure of each tile of B×C×H×W images in [0, 1]: B×H×W booleans."""
    parts = cut(images, tiles)
    whole, (height, width) = parts.flatten(0, 1), parts.shape[3:]
    small = F.adaptive_avg_pool2d(whole, (min(height, _SIDE), min(width, _SIDE)))
    found = _standing_out(small)[:, None].float()
    grown = F.interpolate(found, (height, width), mode="nearest")
    return join(grown.view(*parts.shape[:2], 1, *parts.shape[3:]), tiles)[:, 0] > 0


def exchanged(references: Tensor, donors: Tensor, tiles: int) -> Tensor:
    """Where one object takes the place of another: the figures of both, B×H×W booleans."""
    return figures(references, tiles) | figures(donors, tiles)


def in_cells(masks: Tensor, grid: tuple[int, int], tiles: int) -> Tensor:
    """B×H×W booleans to B×cells: the cells that a mask reaches, in each tile at least one.

    Where a mask reaches none, it is the cell with the most of it, the first of equals.
    """
    shares = F.adaptive_avg_pool2d(masks[:, None].float(), grid)
    parts = cut(shares, tiles).flatten(2)
    most = F.one_hot(parts.argmax(2), parts.shape[2]).bool()
    reached = (parts >= REACHED) | most
    inner = (grid[0] // tiles, grid[1] // tiles)
    return join(reached.view(*reached.shape[:2], 1, *inner), tiles).flatten(1)


def _standing_out(parts: Tensor) -> Tensor:
    """N×C×h×w tiles to N×h×w booleans."""
    height, width = parts.shape[2:]
    # A mean over 3×3 pixels, so that noise is no figure.
    smooth = F.avg_pool2d(F.pad(parts, (1, 1, 1, 1), mode="replicate"), 3, 1)
    border = torch.ones(height, width, dtype=torch.bool, device=parts.device)
    border[1:-1, 1:-1] = False
    colours = smooth.flatten(2).transpose(1, 2)
    nearest = torch.cdist(colours, colours[:, border.flatten()]).amin(2)
    return nearest.view(-1, height, width) > STANDS_OUT
