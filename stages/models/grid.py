"""The cells of a code, by the size of the images; without PyTorch, for params.yaml's sake."""

from __future__ import annotations

MOST_HALVINGS = 6


def halvings_of(height: int, width: int) -> int:
    """How often an image is halved: as long as both sides stay even, at most six times.

    64×64 five times, down to 2×2; 96×64 four times, down to 6×4.

    Raises:
        ValueError: if 4 does not divide both sides, so that no cut into quadrants would be left.
    """
    halvings = 0
    while halvings < MOST_HALVINGS and height % 4 == width % 4 == 0:
        height, width, halvings = height // 2, width // 2, halvings + 1
    if not halvings:
        raise ValueError(f"4 must divide both sides of an image; found {height}×{width}")
    return halvings


def grid_of(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of cells in the code of an image, both even."""
    factor = 2 ** halvings_of(height, width)
    return height // factor, width // factor


def cells_of(height: int, width: int) -> int:
    """The number of cells, which must divide the size of a code."""
    rows, columns = grid_of(height, width)
    return rows * columns
