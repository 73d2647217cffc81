"""Features of all quadrants to ten neighbours each (scene mixing thesis, section 3.4).

Neighbours come from the training split alone, also those of validation images, so that nothing of
a validation image enters a training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stages.lib import clusters, search
from stages.lib.clusters import Labels, Points
from stages.lib.console import Progress, UserError
from stages.lib.loop import seed_for
from stages.lib.neighbours import NEIGHBOURS, QUADRANTS, Distances, Ids
from stages.lib.search import Found
from stages.lib.store import Store


@dataclass(frozen=True)
class Options:
    """How to look; see `stages.lib.params.QuadrantNeighbours`."""

    search: Literal["clusters", "exact", "ivf"]
    clusters: int
    iterations: int
    probes: int
    distinct: bool
    seed: int


@dataclass(frozen=True)
class Crowd:
    """Which images may be whose neighbours.

    Attributes:
        candidates: N; the images of the training split.
        groups: N numbers; images of one group are no neighbours of each other.
    """

    candidates: npt.NDArray[np.bool_]
    groups: Labels


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
        features: N×4×D.
        crowd: who may be whose neighbour.
        options: how to look.
        name: of the data set, for the bar.

    Returns:
        int32 N×4×10, float32 N×4×10, and what the card tells: ``cluster_sizes``, a list a quadrant
        (of all images, also those that are no candidates), ``small_clusters`` (fewer than eleven
        candidates) and ``filled``, the number of quadrants that found fewer than ten neighbours
        where they looked and were given the nearest of all candidates instead.
    """
    ids = np.empty((len(features), QUADRANTS, NEIGHBOURS), np.int32)
    distances = np.empty(ids.shape, np.float32)
    there = np.flatnonzero(crowd.candidates)
    sizes: list[list[int]] = []
    small, filled = [], []
    with Progress(f"neighbours {name}", QUADRANTS, "quadrants") as progress:
        for quadrant in range(QUADRANTS):
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
