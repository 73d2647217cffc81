"""Agreement of neighbours: the share that shows an object of the same category."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_atlas.analysis.neighbours import knn
from latent_atlas.analysis.neighbours.build import CandidateSet
from latent_atlas.data.clustering import Labels, Points
from latent_atlas.data.neighbour_table import NEIGHBOURS, Ids
from latent_atlas.data.tiles import TileObjects
from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "recall": Metric("higher", 0.02, headline=True),
    "agreement": Metric("higher", 0.05, headline=True),
    "agreement_exact": Metric("higher", 0.05),
    "agreement_chance": Metric("either", 0.02),
}

QUERIES = 2000
"""Maximum number of images that are compared with exact search, evenly spread over the store."""


def score_neighbours(
    features: Points, ids: Ids, candidates: CandidateSet, objects: TileObjects | None
) -> dict[str, float]:
    """Compare neighbours with those of exact search among all candidates, and with chance.

    Args:
        features: N×K×D, K = 4 for quadrants.
        ids: N×K×10.
        candidates: the images that may be neighbours.
        objects: the objects in the tiles, where they are known.

    Returns:
        ``recall``: the share of the exact ten nearest that `ids` contains. Where objects are known,
        also the share of neighbours that show one of the categories of the tile, over tiles that
        show any: ``agreement`` of `ids`, ``agreement_exact`` of exact search, and
        ``agreement_chance``, the expectation for evenly drawn candidates.
    """
    rows = np.unique(np.linspace(0, len(ids) - 1, QUERIES).round().astype(np.int64))
    nearest = np.empty((len(rows), *ids.shape[1:]), np.int64)
    for tile in range(ids.shape[1]):
        points = np.ascontiguousarray(features[:, tile])
        exact = knn.exact(points, rows, candidates.rows, candidates.groups, NEIGHBOURS)
        nearest[:, tile] = exact.ids
    compared = ids[rows]
    hits = (compared[..., None] == nearest[..., None, :]).any(axis=-1)
    scores = {"recall": float(hits.mean())}
    if objects is not None and objects.present[rows].any():
        scores["agreement"] = agreement(rows, compared, objects)
        scores["agreement_exact"] = agreement(rows, nearest, objects)
        scores["agreement_chance"] = chance_agreement(rows, candidates, objects)
    return scores


def agreement(rows: Labels, ids: npt.NDArray[np.integer], objects: TileObjects) -> float:
    """The share of neighbours with a category in common, over tiles that show any.

    Args:
        rows: Q images.
        ids: Q×K×M, M neighbours for each of their K tiles.
        objects: of all images.
    """
    present = objects.present
    shared = np.stack(
        [
            (present[ids[:, tile], tile] & present[rows, tile][:, None]).any(axis=-1)
            for tile in range(ids.shape[1])
        ],
        axis=1,
    )
    return float(shared[present[rows].any(axis=-1)].mean())


def chance_agreement(rows: Labels, candidates: CandidateSet, objects: TileObjects) -> float:
    """The expected `agreement` of candidates drawn evenly."""
    others, groups = candidates.rows, candidates.groups
    allowed = groups[rows][:, None] != groups[others]
    shares = []
    for tile in range(objects.areas.shape[1]):
        present = objects.present[:, tile].astype(np.float32)
        shared = (present[rows] @ present[others].T > 0) & allowed
        labelled = present[rows].any(axis=1)
        shares.append((shared.sum(axis=1) / allowed.sum(axis=1))[labelled])
    return float(np.concatenate(shares).mean())
