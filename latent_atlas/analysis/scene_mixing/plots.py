"""Sheets of mixed scenes, to be looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from latent_atlas.analysis.scene_mixing.mixes import Mixes, masks, picture_of
from latent_atlas.data.store import Images
from latent_atlas.plots.grid import enlargement, save_grid


def draw_sheet(
    images: Images,
    mixes: Mixes,
    pictures: Mapping[str, Images],
    rows: int,
    title: str,
    path: Path,
) -> None:
    """A row a mix: the reference, a donor a tile, the mask, and what became of them.

    Args:
        images: of the store.
        mixes: at least `rows` of them, the first are shown.
        pictures: label → uint8 N×H×W×C of the mixes.
        rows: how many.
        title: says runs, data and parameters.
        path: the PNG to write.
    """
    first = dataclasses.replace(
        mixes,
        references=mixes.references[:rows],
        donors=mixes.donors[:rows],
        replaced=mixes.replaced[:rows],
    )
    donors = [images[donor] for donor in first.donors.T]
    reference = images[mixes.references[:rows]]
    _, height, width, channels = reference.shape
    mask = picture_of(masks(images, first)).repeat(channels, 3)
    letter = "q" if mixes.tiles == 2 else "t"
    columns = [reference, *donors, mask, *(picture[:rows] for picture in pictures.values())]
    save_grid(
        path,
        np.stack(columns, axis=1).reshape(-1, height, width, channels),
        len(columns),
        title,
        column_labels=[
            "reference",
            *(f"{letter}{number}" for number in range(1, 1 + len(donors))),
            "mask",
            *pictures,
        ],
        enlarge=enlargement(height, width),
    )
