"""Quadrant neighbours: for each quadrant of each image, the images whose quadrant is most like it.

They are stored in ``data/<name>-neighbours/``, three files with deterministic bytes:

- ``ids.npy``: int32, N×T×K, rows of the image store, nearest first;
- ``distances.npy``: float32, N×T×K, the L2 distance of the features of each;
- ``card.json``: which features, which options, the sizes of all clusters, and what was found.

The T = 4 quadrants are top left, top right, bottom left and bottom right; nine tiles go row by row
as well. An image is no neighbour of
itself, and every list is full.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError
from latent_atlas.util.files import folder, write_json

NEIGHBOURS = 10
"""Neighbours of a quadrant, as in the scene mixing thesis, section 3.4."""

Ids = npt.NDArray[np.int32]
Distances = npt.NDArray[np.float32]


def folder_of(name: str) -> Path:
    """Where the neighbours of the data set `name` are."""
    return Path("data") / f"{name}-neighbours"


@dataclass(frozen=True)
class Neighbours:
    """Opened neighbours of a store; a `latent_atlas.training.loop.Company` for models that mix scenes.

    Attributes:
        path: the folder.
        ids: int32 N×T×K rows of the store, a read-only memory map.
        distances: float32 N×T×K, ascending in K, likewise.
        card: the contents of ``card.json``.
    """

    path: Path
    ids: Ids
    distances: Distances
    card: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of all ids and distances."""
        return str(self.card["digest"])

    def draw(
        self, rows: npt.NDArray[np.int64], random: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Draw one of its neighbours for each quadrant, each quadrant on its own.

        Args:
            rows: B rows of the store.
            random: decides which; every neighbour is equally likely.

        Returns:
            B×T rows of the store, and B×T `quantiles` of their distances.
        """
        _, tiles, number = self.ids.shape
        picks = random.integers(number, size=(len(rows), tiles))
        chosen = (rows[:, None], np.arange(tiles), picks)
        return self.ids[chosen].astype(np.int64), self.quantiles(self.distances[chosen])

    def quantiles(self, distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The share of all stored distances that are no larger, in (0, 1] for a stored one.

        One distribution for all quadrants, so that of two distances the larger has never the
        smaller quantile: a threshold keeps its meaning whatever the scale of the features is.
        """
        ranks = np.searchsorted(self._ascending, distances, side="right")
        return (ranks / len(self._ascending)).astype(np.float32)

    @property
    def tiles(self) -> int:
        """Rows and columns of tiles: 2 for quadrants."""
        return math.isqrt(self.ids.shape[1])

    def check(self, store: Store, tiles: int | None = None) -> None:
        """Raise UserError unless these are the neighbours of `tiles` of the images in `store`."""
        if tiles is not None and tiles != self.tiles:
            raise UserError(
                f"{self.path}: neighbours of {self.tiles}×{self.tiles} tiles, but the model mixes "
                f"{tiles}×{tiles}; set neighbours.tiles to its options.tiles"
            )
        if store.digest != self.card["store"]["digest"]:
            raise UserError(
                f"{self.path}: neighbours of other images than those in {store.path} "
                f"(digest {self.card['store']['digest'][:8]}, expected {store.digest[:8]}); "
                "run `dvc repro`"
            )

    @cached_property
    def _ascending(self) -> Distances:
        return np.sort(self.distances, axis=None)


def open_neighbours(path: Path) -> Neighbours:
    """Open the neighbours in the folder `path`.

    Raises:
        UserError: if they are missing, damaged, or not what the card says.
    """
    try:
        ids = np.load(path / "ids.npy", mmap_mode="r", allow_pickle=False)
        distances = np.load(path / "distances.npy", mmap_mode="r", allow_pickle=False)
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: missing; `python -m stages.neighbours <data set>` makes it"
        ) from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: damaged neighbours ({error}); remove it and run again") from None
    if ids.ndim != 3 or ids.shape != distances.shape or _digest(ids, distances) != card["digest"]:
        raise UserError(
            f"{path}: ids {ids.shape} and distances {distances.shape} are not those of card.json; "
            "remove it and run again"
        )
    return Neighbours(path, ids, distances, card)


def write_neighbours(
    path: Path, ids: Ids, distances: Distances, card: Mapping[str, Any]
) -> Neighbours:
    """Write the folder `path`, whole or not at all.

    Args:
        path: replaced if it is there.
        ids: N×T×K rows of the store.
        distances: N×T×K.
        card: provenance; its ``store`` holds the ``digest`` of the store. ``digest`` is added.

    Raises:
        ValueError: if a list is not full, not ascending, or names its own image.
        UserError: if the place cannot be written.
    """
    rows = np.arange(len(ids), dtype=np.int32)[:, None, None]
    if ids.min() < 0 or ids.max() >= len(ids) or (ids == rows).any():
        raise ValueError("every list must be full of other rows of the store")
    if not np.isfinite(distances).all() or (np.diff(distances, axis=2) < 0).any():
        raise ValueError("distances must be finite and ascending")
    with folder(path) as temporary:
        np.save(temporary / "ids.npy", ids, allow_pickle=False)
        np.save(temporary / "distances.npy", distances, allow_pickle=False)
        write_json(temporary / "card.json", {**card, "digest": _digest(ids, distances)})
    return open_neighbours(path)


def _digest(ids: Ids, distances: Distances) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(ids).data)
    digest.update(np.ascontiguousarray(distances).data)
    return digest.hexdigest()
