"""Cells of a code by the size of the images, computed without PyTorch for params.yaml."""

from __future__ import annotations

MOST_HALVINGS = 6


def halvings_of(height: int, width: int, most: int = MOST_HALVINGS) -> int:
    """Number of halvings of an image: as many as keep both sides even, at most `most`.

    64×64 is halved five times, down to 2×2; 96×64 four times, down to 6×4.

    Raises:
        ValueError: if 4 does not divide both sides, so that the code could not be cut into
            quadrants, or `most` is not from 1 to 6.
    """
    if not 1 <= most <= MOST_HALVINGS:
        raise ValueError(f"halvings: found {most}, expected a number from 1 to {MOST_HALVINGS}")
    halvings = 0
    while halvings < most and height % 4 == width % 4 == 0:
        height, width, halvings = height // 2, width // 2, halvings + 1
    if not halvings:
        raise ValueError(f"4 must divide both sides of an image; found {height}×{width}")
    return halvings


def grid_of(height: int, width: int, most: int = MOST_HALVINGS) -> tuple[int, int]:
    """Rows and columns of cells in the code of an image, both even."""
    factor = 2 ** halvings_of(height, width, most)
    return height // factor, width // factor


def cells_of(height: int, width: int, most: int = MOST_HALVINGS) -> int:
    """The number of cells, which must divide the size of a code."""
    rows, columns = grid_of(height, width, most)
    return rows * columns


def check_tiles(grid: tuple[int, int], tiles: int) -> None:
    """Raise ValueError unless a code of these cells can be cut into `tiles` × `tiles` tiles."""
    if tiles < 2 or grid[0] % tiles or grid[1] % tiles:
        raise ValueError(
            f"tiles: found {tiles}, expected a number from 2 that divides the {grid[0]}×{grid[1]} "
            "cells of a code (64×64 pixels have 2×2, 96×96 have 6×6)"
        )
