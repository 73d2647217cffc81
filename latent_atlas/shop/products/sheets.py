"""Contact sheets: examples of each category, rejected photos by reason, and kinds of photos."""

from __future__ import annotations

import shutil
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


def plot_sheets(
    folder: Path,
    table: pd.DataFrame,
    photos: pd.DataFrame,
    others: pd.DataFrame,
    choice: Choice | None,
    shards: Shards,
    title: str,
) -> None:
    """Plot all sheets into `folder`, which is replaced.

    Args:
        folder: output folder.
        table: the labelled products.
        photos: all photos with their verdicts.
        others: the photos that were clustered.
        choice: their clusters; None if there are none.
        shards: images of the crawl.
        title: beginning of all titles.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _plot_categories(folder / "categories.png", table, shards, f"{title}: product photos")
    _plot_rejected(folder / "rejected.png", photos, shards, f"{title}: rejected photos by reason")
    if choice is not None:
        _plot_kinds(folder, others, choice, shards, f"{title}: model photos")


def _plot_categories(path: Path, table: pd.DataFrame, shards: Shards, title: str) -> None:
    """Plot one row of examples per category."""
    groups = {
        str(name): list(rows["img_path"])[:COLUMNS]
        for name, rows in table[table["img_path"] != ""].groupby("category")
        if name
    }
    if groups:
        _plot_rows(path, groups, shards, title)


def _plot_rejected(path: Path, photos: pd.DataFrame, shards: Shards, title: str) -> None:
    """Plot one row of examples per reason against a photo."""
    bad = photos[photos["verdict"] != ""]
    groups = {str(reason): list(rows["path"])[:COLUMNS] for reason, rows in bad.groupby("verdict")}
    if groups:
        _plot_rows(path, groups, shards, title)


def _plot_kinds(
    folder: Path, photos: pd.DataFrame, choice: Choice, shards: Shards, title: str
) -> None:
    """Plot one sheet per cluster, with its most typical photos first."""
    for cluster, score in enumerate(choice.scores):
        members = photos.assign(distance=choice.distance)[choice.clusters == cluster]
        typical = list(members.sort_values(["distance", "path"])["path"])[: 3 * COLUMNS]
        chosen = ", chosen: worn, from the front and whole" if cluster in choice.chosen else ""
        heading = f"{title}, kind {cluster}: {len(members)} photos, score {score:.2f}{chosen}"
        save_grid(folder / f"kind-{cluster}.png", _images(typical, shards), COLUMNS, heading)


def _plot_rows(path: Path, groups: Mapping[str, Sequence[str]], shards: Shards, title: str) -> None:
    blank = np.full((1, HEIGHT, WIDTH, 3), 255, np.uint8)
    rows = []
    for paths in groups.values():
        images = _images(paths, shards)
        rows += [images, np.repeat(blank, COLUMNS - len(images), axis=0)]
    save_grid(path, np.concatenate(rows), COLUMNS, title, row_labels=list(groups))


def _images(paths: Sequence[str], shards: Shards) -> Images:
    return np.stack([fit_image(shards.photo(path), HEIGHT, WIDTH) for path in paths])


def fit_image(picture: Image.Image, height: int, width: int) -> Images:
    """Fit the whole picture into height×width, padded with the median colour of its border."""
    scale = min(height / picture.height, width / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = np.asarray(picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = np.median(border, axis=0).round().astype(np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
