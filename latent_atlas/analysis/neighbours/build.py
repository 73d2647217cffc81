"""Features of all quadrants to ten neighbours each (scene mixing thesis, section 3.4).

Neighbours come from the training split alone, also those of validation images, so that nothing of
a validation image enters a training.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from latent_atlas.analysis.neighbours import knn as search
from latent_atlas.analysis.neighbours.knn import Found
from latent_atlas.config.schema import QuadrantNeighbours
from latent_atlas.data import clustering as clusters
from latent_atlas.data.clustering import Labels, Points
from latent_atlas.data.features import extract
from latent_atlas.data.neighbour_table import NEIGHBOURS, Distances, Ids
from latent_atlas.data.store import Store
from latent_atlas.models.backbones import Backbone
from latent_atlas.training.loop import seed_for
from latent_atlas.util.console import Progress, UserError

SCRATCH = Path(".cache/scratch-features")
"""Where features lie while they are needed: many are larger than a temporary disk."""


@dataclass(frozen=True)
class Options:
    """How to look; see `latent_atlas.config.params.QuadrantNeighbours`."""

    search: Literal["clusters", "exact", "ivf"]
    clusters: int
    iterations: int
    probes: int
    distinct: bool
    seed: int
    tiles: int = 2

    @staticmethod
    def of(spec: QuadrantNeighbours, scale: Literal["sample", "full"], seed: int) -> Options:
        """What a section of params.yaml or of a study asks for at `scale`."""
        clusters = int(getattr(spec.clusters, scale))
        return Options(
            spec.search, clusters, spec.iterations, spec.probes, spec.distinct, seed, spec.tiles
        )


@dataclass(frozen=True)
class Crowd:
    """Which images may be whose neighbours.

    Attributes:
        candidates: N; the images of the training split.
        groups: N numbers; images of one group are no neighbours of each other.
    """

    candidates: npt.NDArray[np.bool_]
    groups: Labels


@dataclass(frozen=True)
class Searched:
    """A store whose neighbours were found.

    Attributes:
        features: float32 N×K×D, K = 4 for quadrants, a memory map that is gone after the block.
        ids, distances: N×K×10, as `latent_atlas.data.neighbour_table.write_neighbours` takes them.
        crowd: who could be whose neighbour.
        card: provenance, likewise.
    """

    features: Points
    ids: Ids
    distances: Distances
    crowd: Crowd
    card: dict[str, Any]


@contextmanager
def searched(
    store: Store,
    spec: QuadrantNeighbours,
    options: Options,
    backbone: Backbone,
    device: torch.device | None = None,
) -> Iterator[Searched]:
    """Take the features of all quadrants and look for the neighbours of each.

    Args:
        store: the images.
        spec: names the backbone, and the size and number of the images that it sees at once.
        options: how to look.
        backbone: on `device`.
        device: the CPU by default.

    Raises:
        UserError: as `crowd_of`.
    """
    crowd = crowd_of(store, options)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        features = extract(
            store,
            np.arange(len(store.images)),
            lambda images: backbone.features(images, spec.size),
            Path(scratch) / "features.npy",
            tiles=options.tiles,
            batch_size=spec.batch_size,
            device=device,
        )
        ids, distances, found = find(features, crowd, options, store.name)
        card = {
            "store": {"name": store.name, "source": store.card["source"], "digest": store.digest},
            "features": {
                "backbone": spec.backbone,
                "fingerprint": backbone.fingerprint(),
                "side": spec.size or backbone.input_size,
                "numbers": features.shape[-1],
            },
            "options": vars(options),
            "candidates": int(crowd.candidates.sum()),
            **found,
        }
        yield Searched(features, ids, distances, crowd, card)


def crowd_of(store: Store, options: Options) -> Crowd:
    """The candidates and groups of a store.

    Raises:
        UserError: if a list of ten cannot be filled, or there are more clusters than images.
    """
    candidates = np.zeros(len(store.index), np.bool_)
    candidates[store.rows("train")] = True
    # Flips and crops share the bytes of their photograph.
    groups = (
        np.unique(store.index["sha256"].to_numpy(str), return_inverse=True)[1].astype(np.int64)
        if options.distinct
        else np.arange(len(store.index))
    )
    different = len(np.unique(groups[candidates]))
    if different <= NEIGHBOURS:
        raise UserError(
            f"{store.path}: {different} different images in the training split, expected more "
            f"than {NEIGHBOURS}"
        )
    if options.search != "exact" and options.clusters > candidates.sum():
        raise UserError(
            f"neighbours.clusters: found {options.clusters}, expected at most the "
            f"{candidates.sum()} training images of {store.name}"
        )
    return Crowd(candidates, groups)


def find(
    features: Points, crowd: Crowd, options: Options, name: str
) -> tuple[Ids, Distances, dict[str, Any]]:
    """All neighbours, each set of quadrants on its own.

    Args:
        features: N×K×D, K = 4 for quadrants.
        crowd: who may be whose neighbour.
        options: how to look.
        name: of the data set, for the bar.

    Returns:
        int32 N×K×10, float32 N×K×10, and what the card tells: ``cluster_sizes``, a list a quadrant
        (of all images, also those that are no candidates), ``small_clusters`` (fewer than eleven
        candidates) and ``filled``, the number of quadrants that found fewer than ten neighbours
        where they looked and were given the nearest of all candidates instead.
    """
    number = features.shape[1]
    ids = np.empty((len(features), number, NEIGHBOURS), np.int32)
    distances = np.empty(ids.shape, np.float32)
    there = np.flatnonzero(crowd.candidates)
    sizes: list[list[int]] = []
    small, filled = [], []
    with Progress(f"neighbours {name}", number, "quadrants") as progress:
        for quadrant in range(number):
            points = np.ascontiguousarray(features[:, quadrant])
            seed = seed_for(options.seed, "neighbours", quadrant)
            found, labels = _look(points, there, crowd, options, seed)
            filled.append(search.fill(found, points, there, crowd.groups))
            if labels is not None:
                sizes.append(np.bincount(labels, minlength=options.clusters).tolist())
                members = np.bincount(labels[there], minlength=options.clusters)
                small.append(int((members <= NEIGHBOURS).sum()))
            ids[:, quadrant], distances[:, quadrant] = found.ids, found.distances
            progress.advance()
    return ids, distances, {"cluster_sizes": sizes, "small_clusters": small, "filled": filled}


def _look(
    points: Points, there: Labels, crowd: Crowd, options: Options, seed: int
) -> tuple[Found, Labels | None]:
    """The neighbours in one set of quadrants, and its clusters where there are any."""
    if options.search == "clusters":
        trained = points[there]
        _, centroids = clusters.kmeans(trained, options.clusters, options.iterations, seed)
        labels = clusters.assign(points, centroids)
        found = search.within_clusters(points, labels, crowd.candidates, crowd.groups, NEIGHBOURS)
        return found, labels
    if options.search == "ivf":
        found = search.by_inverted_file(
            points,
            crowd.candidates,
            crowd.groups,
            NEIGHBOURS,
            lists=options.clusters,
            probes=options.probes,
            seed=seed,
        )
        return found, None
    everyone = np.arange(len(points))
    return search.exact(points, everyone, there, crowd.groups, NEIGHBOURS), None
