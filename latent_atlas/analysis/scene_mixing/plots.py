"""Contact sheets of mixed scenes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from latent_atlas.analysis.scene_mixing.mixes import Mixes, mask_images, replaced_pixels
from latent_atlas.data.store import Images
from latent_atlas.plots.grid import enlargement, save_grid


def plot_mixes(
    images: Images,
    mixes: Mixes,
    pictures: Mapping[str, Images],
    rows: int,
    title: str,
    path: Path,
) -> None:
    """Write a sheet with one row per mix: reference, donors, mask, and the pictures of the mix.

    Args:
        images: all images of the store.
        mixes: mixes, of which the first are shown.
        pictures: label → uint8 N×H×W×C pictures of the mixes.
        rows: maximum number of mixes.
        title: names runs, data and parameters.
        path: the PNG to write.
    """
    shown = dataclasses.replace(
        mixes,
        references=mixes.references[:rows],
        donors=mixes.donors[:rows],
        replaced=mixes.replaced[:rows],
    )
    donors = [images[donor] for donor in shown.donors.T]
    reference = images[shown.references]
    _, height, width, channels = reference.shape
    mask = mask_images(replaced_pixels(images, shown)).repeat(channels, 3)
    letter = "q" if mixes.tiles == 2 else "t"
    donor_labels = [f"{letter}{number}" for number in range(1, 1 + len(donors))]
    columns = [reference, *donors, mask, *(picture[:rows] for picture in pictures.values())]
    save_grid(
        path,
        np.stack(columns, axis=1).reshape(-1, height, width, channels),
        len(columns),
        title,
        column_labels=["reference", *donor_labels, "mask", *pictures],
        enlarge=enlargement(height, width),
    )
