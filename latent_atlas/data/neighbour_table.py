"""Neighbour table: for each tile of each image, the images with the most similar tile there.

A table is a folder ``data/<name>-neighbours/`` of three files with deterministic bytes:

- ``ids.npy``: int32, N×T×K, rows of the image store, nearest first;
- ``distances.npy``: float32, N×T×K, the L2 distances of the features;
- ``card.json``: the provenance of the features, the options, and the sizes of all clusters.

The T = 4 quadrants are top left, top right, bottom left and bottom right; nine tiles are counted
row by row. An image is never a neighbour of itself, and every list is full.
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
from latent_atlas.util.files import write_folder, write_json

NEIGHBOURS = 10
"""Neighbours of each tile (Zbinden 2019, section 3.4)."""

Ids = npt.NDArray[np.int32]
Distances = npt.NDArray[np.float32]


def neighbours_folder(name: str) -> Path:
    """The folder of the neighbour table of the data set `name`."""
    return Path("data") / f"{name}-neighbours"


@dataclass(frozen=True)
class NeighbourTable:
    """The neighbours of the tiles of a store.

    For models that mix scenes it is a `latent_atlas.training.loop.PartnerSource`.

    Attributes:
        path: the folder.
        ids: int32 N×T×K rows of the store, a read-only memory map.
        distances: float32 N×T×K, ascending in K, a read-only memory map.
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

    @property
    def images(self) -> None:
        """Neighbours are images of the store itself."""

    def draw(
        self, rows: npt.NDArray[np.int64], random: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Draw one neighbour for each tile, independently for each tile.

        Args:
            rows: B rows of the store.
            random: source of the draws; every neighbour is equally likely.

        Returns:
            B×T rows of the store, and the B×T `quantiles` of their distances.
        """
        _, tiles, number = self.ids.shape
        picks = random.integers(number, size=(len(rows), tiles))
        chosen = (rows[:, None], np.arange(tiles), picks)
        return self.ids[chosen].astype(np.int64), self.quantiles(self.distances[chosen])

    def quantiles(self, distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The share of all stored distances that are no larger, in (0, 1] for a stored distance.

        All tiles share one distribution, so a larger distance never has a smaller quantile. A
        threshold on quantiles does not depend on the scale of the features.
        """
        ranks = np.searchsorted(self._ascending, distances, side="right")
        return (ranks / len(self._ascending)).astype(np.float32)

    @property
    def tiles(self) -> int:
        """Rows and columns of tiles: 2 for quadrants."""
        return math.isqrt(self.ids.shape[1])

    def check(self, store: Store, tiles: int | None = None) -> None:
        """Raise UserError unless the table belongs to `store` and to tiles of this number."""
        if tiles is not None and tiles != self.tiles:
            raise UserError(
                f"{self.path}: found neighbours of {self.tiles}×{self.tiles} tiles, expected "
                f"{tiles}×{tiles} as the model mixes; make a table of as many tiles, or change the "
                "option tiles of the model"
            )
        if store.digest != self.card["store"]["digest"]:
            raise UserError(
                f"{self.path}: found neighbours of other images than those in {store.path} "
                f"(digest {self.card['store']['digest'][:8]}, expected {store.digest[:8]}); "
                "run `dvc repro`"
            )

    @cached_property
    def _ascending(self) -> Distances:
        return np.sort(self.distances, axis=None)


def open_neighbours(path: Path) -> NeighbourTable:
    """Open the neighbour table in the folder `path`.

    Raises:
        UserError: if a file is missing or damaged, or does not match ``card.json``.
    """
    try:
        ids = np.load(path / "ids.npy", mmap_mode="r", allow_pickle=False)
        distances = np.load(path / "distances.npy", mmap_mode="r", allow_pickle=False)
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename}: file is missing; make it with "
            "`python -m stages.neighbours <data set>`"
        ) from None
    except (ValueError, EOFError, OSError) as error:
        raise UserError(
            f"{path}: damaged neighbour table ({error}); remove it and run again"
        ) from None
    if ids.ndim != 3 or ids.shape != distances.shape or _digest(ids, distances) != card["digest"]:
        raise UserError(
            f"{path}: ids {ids.shape} and distances {distances.shape} do not match card.json; "
            "remove it and run again"
        )
    return NeighbourTable(path, ids, distances, card)


def write_neighbours(
    path: Path, ids: Ids, distances: Distances, card: Mapping[str, Any]
) -> NeighbourTable:
    """Write the folder `path` completely, or leave it unchanged.

    Args:
        path: an existing table is replaced.
        ids: N×T×K rows of the store.
        distances: N×T×K.
        card: provenance; ``card["store"]["digest"]`` is the digest of the store. The ``digest``
            of the table is added.

    Raises:
        ValueError: if a list is not full or not ascending, or names its own image.
        UserError: if the folder cannot be written.
    """
    rows = np.arange(len(ids), dtype=np.int32)[:, None, None]
    if ids.min() < 0 or ids.max() >= len(ids) or (ids == rows).any():
        raise ValueError("found an incomplete list or an image in its own list, expected neither")
    if not np.isfinite(distances).all() or (np.diff(distances, axis=2) < 0).any():
        raise ValueError("found distances that are infinite or not ascending, expected neither")
    with write_folder(path) as temporary:
        np.save(temporary / "ids.npy", ids, allow_pickle=False)
        np.save(temporary / "distances.npy", distances, allow_pickle=False)
        write_json(temporary / "card.json", {**card, "digest": _digest(ids, distances)})
    return open_neighbours(path)


def _digest(ids: Ids, distances: Distances) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(ids).data)
    digest.update(np.ascontiguousarray(distances).data)
    return digest.hexdigest()
