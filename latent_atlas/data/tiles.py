"""Images cut into quadrants, and what is known to be in each: top left, top right, bottom ones.

Or into more tiles, row by row, if it is asked for.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_atlas.data.store import Images, Store
from latent_atlas.util.console import UserError

COUNT = 4
SEEN = 0.1
"""A category is in a quadrant if so much of the area of one of its boxes is."""

_EMPTY = "none"  # class of an empty quadrant of drawn scenes


@dataclass(frozen=True)
class Objects:
    """What each quadrant shows.

    Attributes:
        names: C categories.
        areas: float32 N×4×C, the share of the quadrant that boxes of the category cover (summed,
            so over 1 where boxes overlap); 1 in drawn scenes, 0 where it is not in the quadrant.
    """

    names: list[str]
    areas: npt.NDArray[np.float32]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """N×4×C: whether the category is in the quadrant."""
        return self.areas > 0

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """N×4: the category that covers most of the quadrant; -1 where there is none."""
        return np.where(self.present.any(axis=2), self.areas.argmax(axis=2), -1)


def cut(images: Images, tiles: int = 2) -> Images:
    """B×H×W×C images to B×4×H/2×W/2×C quadrants, or into `tiles` × `tiles` tiles.

    Raises:
        UserError: if a side cannot be divided so.
    """
    count, height, width, channels = images.shape
    if height % tiles or width % tiles:
        parts = "quadrants need even sides"
        if tiles != 2:
            parts = f"{tiles}×{tiles} tiles need sides that {tiles} divides"
        raise UserError(f"{parts}, found {height}×{width} pixels")
    inner = (height // tiles, width // tiles)
    pieces = images.reshape(count, tiles, inner[0], tiles, inner[1], channels)
    return pieces.transpose(0, 1, 3, 2, 4, 5).reshape(count, tiles**2, *inner, channels)


def join(parts: Images) -> Images:
    """B×4×H/2×W/2×C quadrants, or more tiles, to B×H×W×C images: what `cut` took apart."""
    count, number, height, width, channels = parts.shape
    tiles = math.isqrt(number)
    pieces = parts.reshape(count, tiles, tiles, height, width, channels)
    return pieces.transpose(0, 1, 3, 2, 4, 5).reshape(
        count, tiles * height, tiles * width, channels
    )


def objects_of(store: Store, tiles: int = 2) -> Objects | None:
    """What is known of the quadrants, or other tiles, of a store; None if nothing is.

    That is the object in each quadrant of drawn scenes, and boxes of photographs.
    """
    if all(f"q{number}_class" in store.index for number in range(1, COUNT + 1)):
        return _of_scenes(store) if tiles == 2 else None
    return _of_boxes(store, tiles) if "boxes" in store.index else None


def _of_scenes(store: Store) -> Objects:
    columns = [store.index[f"q{number}_class"].to_numpy() for number in range(1, COUNT + 1)]
    classes = np.stack(columns, axis=1).astype(str)
    names = sorted(set(classes.ravel()) - {_EMPTY})
    return Objects(names, (classes[..., None] == np.array(names)).astype(np.float32))


def _of_boxes(store: Store, tiles: int) -> Objects:
    rows = [
        (row, json.loads(names), json.loads(boxes))
        for row, (names, boxes) in enumerate(
            zip(store.index["categories"], store.index["boxes"], strict=True)
        )
        if isinstance(names, str)  # rows of another source in the same store have none
    ]
    names = sorted({name for _, found, _ in rows for name in found})
    numbers = {name: number for number, name in enumerate(names)}
    areas = np.zeros((len(store.index), tiles**2, len(names)), np.float32)
    for row, found, boxes in rows:
        for name, box in zip(found, boxes, strict=True):
            areas[row, :, numbers[name]] += _covered(box, tiles)
    return Objects(names, areas)


def _covered(box: list[float], tiles: int) -> npt.NDArray[np.float64]:
    """The share of each tile that a box [x, y, width, height] covers; 0 below `SEEN`."""
    x, y, across, down = box
    lines = np.linspace(0, 1, tiles + 1)
    edges = np.stack([lines[:-1], lines[1:]], axis=1)
    widths = np.clip(np.minimum(edges[:, 1], x + across) - np.maximum(edges[:, 0], x), 0, None)
    heights = np.clip(np.minimum(edges[:, 1], y + down) - np.maximum(edges[:, 0], y), 0, None)
    inside = np.outer(heights, widths).ravel()
    return np.where(inside >= SEEN * across * down, inside, 0.0) * tiles**2
