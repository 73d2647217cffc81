"""Tiles of images, and the objects in each tile.

Two rows and two columns of tiles are the quadrants, in the order top left, top right, bottom left,
bottom right. Any number of tiles is counted row by row.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_atlas.data.store import Images, Store
from latent_atlas.util.console import UserError

QUADRANTS = 4

MIN_BOX_SHARE = 0.1
"""A tile shows a category if it holds at least this share of the area of one of its boxes."""

_EMPTY = "none"  # class of an empty quadrant of drawn scenes


@dataclass(frozen=True)
class TileObjects:
    """The objects in each of the K tiles of N images, K = 4 for quadrants.

    Attributes:
        names: C categories.
        areas: float32 N×K×C, the share of the tile that boxes of the category cover: 0 where the
            category is not in the tile, 1 for the object of a drawn scene. Shares are summed over
            boxes, so overlapping boxes can exceed 1.
    """

    names: list[str]
    areas: npt.NDArray[np.float32]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """N×K×C: whether the category is in the tile."""
        return self.areas > 0

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """N×K: the category that covers most of the tile; -1 where there is none."""
        return np.where(self.present.any(axis=2), self.areas.argmax(axis=2), -1)


def cut_tiles(images: Images, tiles: int = 2) -> Images:
    """Cut B×H×W×C images into B×K×H/tiles×W/tiles×C tiles, K = tiles².

    Raises:
        UserError: if `tiles` does not divide both sides.
    """
    count, height, width, channels = images.shape
    if height % tiles or width % tiles:
        parts = "quadrants need even sides"
        if tiles != 2:
            parts = f"{tiles}×{tiles} tiles need sides that {tiles} divides"
        raise UserError(
            f"{parts}; found images of {height}×{width} pixels. Change their height and width"
        )
    inner = (height // tiles, width // tiles)
    pieces = images.reshape(count, tiles, inner[0], tiles, inner[1], channels)
    return pieces.transpose(0, 1, 3, 2, 4, 5).reshape(count, tiles**2, *inner, channels)


def join_tiles(parts: Images) -> Images:
    """Join B×K×h×w×C tiles to B×H×W×C images; the inverse of `cut_tiles`."""
    count, number, height, width, channels = parts.shape
    tiles = math.isqrt(number)
    pieces = parts.reshape(count, tiles, tiles, height, width, channels)
    return pieces.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, tiles * height, tiles * width, channels
    )


def objects_in_tiles(store: Store, tiles: int = 2) -> TileObjects | None:
    """The known objects in the tiles of a store; None if its images have no such annotation.

    Drawn scenes have a class for each quadrant; photographs may have boxes.
    """
    if all(f"q{number}_class" in store.index for number in range(1, QUADRANTS + 1)):
        return _objects_of_scenes(store) if tiles == 2 else None
    return _objects_of_boxes(store, tiles) if "boxes" in store.index else None


def _objects_of_scenes(store: Store) -> TileObjects:
    columns = [store.index[f"q{number}_class"].to_numpy() for number in range(1, QUADRANTS + 1)]
    classes = np.stack(columns, axis=1).astype(str)
    names = sorted(set(classes.ravel()) - {_EMPTY})
    return TileObjects(names, (classes[..., None] == np.array(names)).astype(np.float32))


def _objects_of_boxes(store: Store, tiles: int) -> TileObjects:
    annotations = [
        (row, json.loads(categories), json.loads(boxes))
        for row, (categories, boxes) in enumerate(
            zip(store.index["categories"], store.index["boxes"], strict=True)
        )
        if isinstance(categories, str)  # rows of another source in the same store have no boxes
    ]
    names = sorted({name for _, categories, _ in annotations for name in categories})
    numbers = {name: number for number, name in enumerate(names)}
    areas = np.zeros((len(store.index), tiles**2, len(names)), np.float32)
    for row, categories, boxes in annotations:
        for name, box in zip(categories, boxes, strict=True):
            areas[row, :, numbers[name]] += _covered_shares(box, tiles)
    return TileObjects(names, areas)


def _covered_shares(box: list[float], tiles: int) -> npt.NDArray[np.float64]:
    """The share of each tile under a box [x, y, width, height]; 0 below `MIN_BOX_SHARE`."""
    x, y, box_width, box_height = box
    lines = np.linspace(0, 1, tiles + 1)
    starts, ends = lines[:-1], lines[1:]
    widths = np.clip(np.minimum(ends, x + box_width) - np.maximum(starts, x), 0, None)
    heights = np.clip(np.minimum(ends, y + box_height) - np.maximum(starts, y), 0, None)
    inside = np.outer(heights, widths).ravel()
    return np.where(inside >= MIN_BOX_SHARE * box_width * box_height, inside, 0.0) * tiles**2
