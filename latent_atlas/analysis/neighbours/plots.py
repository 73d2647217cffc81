"""Contact sheet of tiles beside their neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Store
from latent_atlas.data.tiles import cut_tiles
from latent_atlas.plots.grid import enlargement, save_grid

_QUERIES = 3  # for each quadrant
_SHOWN = 9  # neighbours of each query


def plot_neighbours(
    neighbours: NeighbourTable, store: Store, seed: int, title: str, path: Path
) -> None:
    """Write a sheet with random queries, each beside its nine nearest neighbours.

    There are three rows for each quadrant, or one row for each of nine tiles.
    """
    quadrants = neighbours.tiles == 2
    letter, name, each = ("q", "quadrant", _QUERIES) if quadrants else ("t", "tile", 1)
    random = np.random.default_rng([seed, len(store.images)])
    rows = random.choice(len(store.images), (neighbours.tiles**2, each), replace=False)
    pictures, labels = [], []
    for tile, queries in enumerate(rows):
        for row in queries:
            ids = np.r_[row, neighbours.ids[row, tile, :_SHOWN]]
            pictures.append(cut_tiles(store.images[ids], neighbours.tiles)[:, tile])
            last = neighbours.quantiles(neighbours.distances[row, tile, _SHOWN - 1 : _SHOWN])[0]
            labels.append(f"{letter}{tile + 1}, d₉ {last:.2f}")
    _, height, width, _ = pictures[0].shape
    save_grid(
        path,
        np.concatenate(pictures),
        _SHOWN + 1,
        f"{title}; d₉: distance of the ninth neighbour, as a quantile of all distances",
        column_labels=[name, *(str(number) for number in range(1, _SHOWN + 1))],
        row_labels=labels,
        enlarge=enlargement(height, width, 64),
        gap=3,
    )
