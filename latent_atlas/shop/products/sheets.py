"""Contact sheets: examples of each category, rejected photos by reason, and the kinds of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from latent_atlas.data.store import Images
from latent_atlas.plots.grid import save_grid
from latent_atlas.shop.products.model_photos import Choice
from latent_atlas.shop.products.shards import Shards

HEIGHT, WIDTH = 96, 72
COLUMNS = 10


def categories(path: Path, table: pd.DataFrame, shards: Shards, title: str) -> None:
    """A row of examples a category."""
    groups = {
        str(name): list(rows["img_path"])[:COLUMNS]
        for name, rows in table[table["img_path"] != ""].groupby("category")
        if name
    }
    if groups:
        _rows(path, groups, shards, title)


def rejected(path: Path, photos: pd.DataFrame, shards: Shards, title: str) -> None:
    """A row of examples a reason for which photos are no product photos."""
    bad = photos[photos["verdict"] != ""]
    groups = {str(reason): list(rows["path"])[:COLUMNS] for reason, rows in bad.groupby("verdict")}
    if groups:
        _rows(path, groups, shards, title)


def clusters(
    folder: Path, photos: pd.DataFrame, choice: Choice, shards: Shards, title: str
) -> None:
    """A sheet a cluster, its most typical photos first."""
    for cluster, score in enumerate(choice.scores):
        members = photos.assign(distance=choice.distance)[choice.clusters == cluster]
        typical = list(members.sort_values(["distance", "path"])["path"])[: 3 * COLUMNS]
        chosen = ", chosen: worn, from the front and whole" if cluster in choice.chosen else ""
        heading = f"{title}, kind {cluster}: {len(members)} photos, score {score:.2f}{chosen}"
        save_grid(folder / f"kind-{cluster}.png", _images(typical, shards), COLUMNS, heading)


def _rows(path: Path, groups: Mapping[str, Sequence[str]], shards: Shards, title: str) -> None:
    blank = np.full((1, HEIGHT, WIDTH, 3), 255, np.uint8)
    rows = []
    for paths in groups.values():
        found = _images(paths, shards)
        rows += [found, np.repeat(blank, COLUMNS - len(found), axis=0)]
    save_grid(path, np.concatenate(rows), COLUMNS, title, row_labels=list(groups))


def _images(paths: Sequence[str], shards: Shards) -> Images:
    return np.stack([fit(shards.photo(path), HEIGHT, WIDTH) for path in paths])


def fit(picture: Image.Image, height: int, width: int) -> Images:
    """The whole picture in the middle of height×width, surrounded by its border's median colour."""
    scale = min(height / picture.height, width / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = np.asarray(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = np.median(border, axis=0).round().astype(np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
