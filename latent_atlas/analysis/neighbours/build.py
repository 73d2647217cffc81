"""Search for the ten nearest neighbours of every tile of a store.

Source: Zbinden 2019, section 3.4. Neighbours come from the training split alone, also those of
validation images, so that no training sees a validation image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from latent_atlas.analysis.neighbours import knn
from latent_atlas.analysis.neighbours.knn import Neighbourhood
from latent_atlas.config.schema import QuadrantNeighbours
from latent_atlas.data import clustering
from latent_atlas.data.clustering import Labels, Points
from latent_atlas.data.features import extract_features
from latent_atlas.data.neighbour_table import NEIGHBOURS, Distances, Ids
from latent_atlas.data.store import Store
from latent_atlas.models.backbones import Backbone
from latent_atlas.util.console import FieldError, Progress, UserError
from latent_atlas.util.seeds import seed_for

SCRATCH = Path(".cache/scratch-features")
"""Folder for the features during a search, which may exceed a temporary file system in memory."""


@dataclass(frozen=True)
class CandidateSet:
    """The images of a store that may be neighbours.

    Attributes:
        mask: N booleans; True for the images of the training split.
        groups: N numbers; images of the same group are never neighbours.
    """

    mask: npt.NDArray[np.bool_]
    groups: Labels

    @property
    def rows(self) -> Labels:
        """The rows of the candidates."""
        return np.flatnonzero(self.mask)


@dataclass(frozen=True)
class NeighbourSearch:
    """Features of the tiles of a store, and the neighbours found with them.

    Attributes:
        features: float32 N×K×D, K = 4 for quadrants; a memory map that `search_neighbours` removes.
        ids, distances: N×K×10, see `latent_atlas.data.neighbour_table.write_neighbours`.
        candidates: the images that could be neighbours.
        card: provenance for `write_neighbours`.
    """

    features: Points
    ids: Ids
    distances: Distances
    candidates: CandidateSet
    card: dict[str, Any]


@contextmanager
def search_neighbours(
    store: Store,
    settings: QuadrantNeighbours,
    seed: int,
    backbone: Backbone,
    device: torch.device | None = None,
) -> Iterator[NeighbourSearch]:
    """Extract the features of all tiles and find the neighbours of each tile.

    Args:
        store: the images.
        settings: features and search.
        seed: of the clusters.
        backbone: the network that `settings` names, on `device`.
        device: the CPU by default.

    Raises:
        FieldError: if there are more clusters than training images.
        UserError: if there are too few different training images for a list of ten.
    """
    candidates = candidate_set(store, settings)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        features = extract_features(
            store,
            np.arange(len(store.images)),
            lambda images: backbone.features(images, settings.size),
            Path(scratch) / "features.npy",
            tiles=settings.tiles,
            batch_size=settings.batch_size,
            device=device,
        )
        ids, distances, summary = find_neighbours(features, candidates, settings, seed, store.name)
        card = {
            "store": {"name": store.name, "source": store.card["source"], "digest": store.digest},
            "features": {
                "backbone": settings.backbone,
                "fingerprint": backbone.fingerprint(),
                "side": settings.size or backbone.input_size,
                "numbers": features.shape[-1],
            },
            "options": {**settings.model_dump(mode="json"), "seed": seed},
            "candidates": int(candidates.mask.sum()),
            **summary,
        }
        yield NeighbourSearch(features, ids, distances, candidates, card)


def candidate_set(store: Store, settings: QuadrantNeighbours) -> CandidateSet:
    """Select the candidates of a store, and group those of the same photograph.

    Raises:
        FieldError: if there are more clusters than training images.
        UserError: if there are too few different training images for a list of ten.
    """
    mask = np.zeros(len(store.index), np.bool_)
    mask[store.rows("train")] = True
    groups = np.arange(len(store.index))
    if settings.distinct:
        # Flips and crops have the source bytes of their photograph.
        hashes = store.index["sha256"].to_numpy(str)
        groups = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    different = len(np.unique(groups[mask]))
    if different <= NEIGHBOURS:
        raise UserError(
            f"{store.path}: found {different} different images in the training split, expected "
            f"more than {NEIGHBOURS}; add images"
        )
    if settings.search != "exact" and settings.clusters > mask.sum():
        raise FieldError(
            "clusters",
            f"found {settings.clusters}, expected at most {mask.sum()}, the number of training "
            f"images of {store.name}",
        )
    return CandidateSet(mask, groups)


def find_neighbours(
    features: Points, candidates: CandidateSet, settings: QuadrantNeighbours, seed: int, name: str
) -> tuple[Ids, Distances, dict[str, Any]]:
    """Find the neighbours of every tile among the tiles at the same position.

    Args:
        features: N×K×D, K = 4 for quadrants.
        candidates: the images that may be neighbours.
        settings: the search.
        seed: of the clusters.
        name: name of the data set, for the progress.

    Returns:
        int32 N×K×10 ids, float32 N×K×10 distances, and a summary for the card:
        ``cluster_sizes``, a list for each position, over all images; ``small_clusters``, the number
        of clusters with fewer than eleven candidates; ``filled``, the number of tiles that found
        fewer than ten neighbours and received the nearest of all candidates instead.
    """
    positions = features.shape[1]
    ids = np.empty((len(features), positions, NEIGHBOURS), np.int32)
    distances = np.empty(ids.shape, np.float32)
    sizes: list[list[int]] = []
    small, filled = [], []
    with Progress(f"neighbours {name}", positions, "quadrants") as progress:
        for tile in range(positions):
            points = np.ascontiguousarray(features[:, tile])
            tile_seed = seed_for(seed, "neighbours", tile)
            nearest, labels = _search(points, candidates, settings, tile_seed)
            rows = candidates.rows
            filled.append(knn.fill_incomplete(nearest, points, rows, candidates.groups))
            if labels is not None:
                sizes.append(np.bincount(labels, minlength=settings.clusters).tolist())
                members = np.bincount(labels[rows], minlength=settings.clusters)
                small.append(int((members <= NEIGHBOURS).sum()))
            ids[:, tile], distances[:, tile] = nearest.ids, nearest.distances
            progress.advance()
    return ids, distances, {"cluster_sizes": sizes, "small_clusters": small, "filled": filled}


def _search(
    points: Points, candidates: CandidateSet, settings: QuadrantNeighbours, seed: int
) -> tuple[Neighbourhood, Labels | None]:
    """Neighbours of the tiles at one position, and their clusters where the search has any."""
    rows, mask, groups = candidates.rows, candidates.mask, candidates.groups
    if settings.search == "clusters":
        _, centroids = clustering.kmeans(points[rows], settings.clusters, settings.iterations, seed)
        labels = clustering.assign(points, centroids)
        return knn.within_clusters(points, labels, mask, groups, NEIGHBOURS), labels
    if settings.search == "ivf":
        lists, probes = settings.clusters, settings.probes
        nearest = knn.by_inverted_file(
            points, mask, groups, NEIGHBOURS, lists=lists, probes=probes, seed=seed
        )
        return nearest, None
    return knn.exact(points, np.arange(len(points)), rows, groups, NEIGHBOURS), None
