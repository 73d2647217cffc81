"""Quadrants beside their neighbours, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_atlas.data.neighbour_table import Neighbours
from latent_atlas.data.store import Store
from latent_atlas.data.tiles import cut
from latent_atlas.plots.grid import enlargement, save_grid

ROWS, SHOWN = 3, 9


def draw_sheet(neighbours: Neighbours, store: Store, seed: int, title: str, path: Path) -> None:
    """Three rows for each quadrant: the quadrant, and the same of its nine nearest images.

    For nine tiles it is a row each.
    """
    letter, name, each = ("q", "quadrant", ROWS) if neighbours.tiles == 2 else ("t", "tile", 1)
    random = np.random.default_rng([seed, len(store.images)])
    rows = random.choice(len(store.images), (neighbours.tiles**2, each), replace=False)
    pictures, labels = [], []
    for quadrant, queries in enumerate(rows):
        for row in queries:
            ids = np.r_[row, neighbours.ids[row, quadrant, :SHOWN]]
            pictures.append(cut(store.images[ids], neighbours.tiles)[:, quadrant])
            last = neighbours.quantiles(neighbours.distances[row, quadrant, SHOWN - 1 : SHOWN])[0]
            labels.append(f"{letter}{quadrant + 1}, d₉ {last:.2f}")
    _, height, width, _ = pictures[0].shape
    save_grid(
        path,
        np.concatenate(pictures),
        SHOWN + 1,
        f"{title}; d₉: distance of the ninth, as a quantile of all distances",
        column_labels=[name, *(str(number) for number in range(1, SHOWN + 1))],
        row_labels=labels,
        enlarge=enlargement(height, width, 64),
        gap=3,
    )
