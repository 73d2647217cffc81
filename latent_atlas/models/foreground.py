"""Foreground masks of the tiles of an image, found without labels, for mixing.

The object of a tile is what lies in its middle and nowhere at its border: a pixel is foreground if
no pixel on the border of its tile has about its colour. This is the boundary prior of Wei et al.
2012, "Geodesic saliency using background priors", without geodesic paths. The author of the mixing
autoencoder left mixing by segments open (Zbinden 2019, chapter 5).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CONTRAST = 0.06
"""Least Euclidean distance of a foreground colour in [0, 1] from the nearest on the border."""

COVERAGE = 0.25
"""Least share of a code cell's area that a mask must cover for the cell to be exchanged."""

_SIDE = 32  # pixels; larger tiles are reduced to this size before the mask is computed


def cut(images: Tensor, tiles: int) -> Tensor:
    """B×C×H×W images to B×K×C×(H/tiles)×(W/tiles) tiles, K = tiles², row by row."""
    count, channels, height, width = images.shape
    inner = (height // tiles, width // tiles)
    parts = images.reshape(count, channels, tiles, inner[0], tiles, inner[1])
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(count, tiles**2, channels, *inner)


def join(parts: Tensor, tiles: int) -> Tensor:
    """The inverse of `cut`."""
    count, _, channels, height, width = parts.shape
    square = parts.reshape(count, tiles, tiles, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return square.reshape(count, channels, tiles * height, tiles * width)


def own_tiles(others: Tensor, tiles: int) -> Tensor:
    """B×K×C×H×W images to B×C×H×W, composed of tile k of the k-th image."""
    count, number = others.shape[:2]
    parts = cut(others.flatten(0, 1), tiles)
    parts = parts.view(count, number, number, *parts.shape[2:])
    return join(parts.diagonal(dim1=1, dim2=2).movedim(-1, 1), tiles)


def foreground_mask(images: Tensor, tiles: int) -> Tensor:
    """The foreground of each tile of B×C×H×W images in [0, 1]: B×H×W booleans."""
    parts = cut(images, tiles)
    whole, (height, width) = parts.flatten(0, 1), parts.shape[3:]
    small = F.adaptive_avg_pool2d(whole, (min(height, _SIDE), min(width, _SIDE)))
    mask = _differs_from_border(small)[:, None].float()
    grown = F.interpolate(mask, (height, width), mode="nearest")
    return join(grown.view(*parts.shape[:2], 1, *parts.shape[3:]), tiles)[:, 0] > 0


def exchange_mask(references: Tensor, donors: Tensor, tiles: int) -> Tensor:
    """The pixels to exchange between objects: the foreground of both, B×H×W booleans."""
    return foreground_mask(references, tiles) | foreground_mask(donors, tiles)


def mask_to_cells(masks: Tensor, grid: tuple[int, int], tiles: int) -> Tensor:
    """B×H×W booleans to B×cells: the code cells that a mask covers, at least one per tile.

    In a tile where the mask covers none enough, it is the cell with the largest covered share, the
    first of equals.
    """
    shares = F.adaptive_avg_pool2d(masks[:, None].float(), grid)
    parts = cut(shares, tiles).flatten(2)
    most = F.one_hot(parts.argmax(2), parts.shape[2]).bool()
    covered = (parts >= COVERAGE) | most
    inner = (grid[0] // tiles, grid[1] // tiles)
    return join(covered.view(*covered.shape[:2], 1, *inner), tiles).flatten(1)


def _differs_from_border(parts: Tensor) -> Tensor:
    """N×C×h×w tiles to N×h×w booleans."""
    height, width = parts.shape[2:]
    # A mean over 3×3 pixels, so that noise is no foreground.
    smooth = F.avg_pool2d(F.pad(parts, (1, 1, 1, 1), mode="replicate"), 3, 1)
    border = torch.ones(height, width, dtype=torch.bool, device=parts.device)
    border[1:-1, 1:-1] = False
    colours = smooth.flatten(2).transpose(1, 2)
    nearest = torch.cdist(colours, colours[:, border.flatten()]).amin(2)
    return nearest.view(-1, height, width) > CONTRAST
