"""Sheets of mixed scenes, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.lib.mixes import Mixes, picture_of
from stages.lib.picture import enlargement, save_grid
from stages.lib.store import Images


def draw_sheet(
    images: Images,
    mixes: Mixes,
    pictures: Mapping[str, Images],
    rows: int,
    title: str,
    path: Path,
) -> None:
    """A row a mix: the reference, four donors, the mask, and what became of them.

    Args:
        images: of the store.
        mixes: at least `rows` of them, the first are shown.
        pictures: label → uint8 N×H×W×C of the mixes.
        rows: how many.
        title: says runs, data and parameters.
        path: the PNG to write.
    """
    donors = [images[mixes.donors[:rows, quadrant]] for quadrant in range(4)]
    reference = images[mixes.references[:rows]]
    _, height, width, channels = reference.shape
    mask = picture_of(mixes.replaced[:rows], height, width).repeat(channels, 3)
    columns = [reference, *donors, mask, *(picture[:rows] for picture in pictures.values())]
    save_grid(
        path,
        np.stack(columns, axis=1).reshape(-1, height, width, channels),
        len(columns),
        title,
        column_labels=["reference", "q1", "q2", "q3", "q4", "mask", *pictures],
        enlarge=enlargement(height, width),
    )
