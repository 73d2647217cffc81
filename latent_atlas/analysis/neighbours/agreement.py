"""How often a neighbour's quadrant shows what the quadrant itself shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_atlas.analysis.neighbours import knn
from latent_atlas.analysis.neighbours.build import Crowd
from latent_atlas.data.clustering import Labels, Points
from latent_atlas.data.neighbour_table import NEIGHBOURS, Ids
from latent_atlas.data.tiles import Objects

QUERIES = 2000
"""At most so many images are compared with all others, evenly spread over the store."""


def score(features: Points, ids: Ids, crowd: Crowd, objects: Objects | None) -> dict[str, float]:
    """Measure neighbours against exact search among all candidates, and against chance.

    Args:
        features: N×K×D, K = 4 for quadrants.
        ids: N×K×10.
        crowd: who may be whose neighbour.
        objects: what the quadrants show, where it is known.

    Returns:
        ``recall``: share of the exact ten nearest that were found. Where objects are known, the
        share of neighbours that show one of the quadrant's categories, over quadrants that show
        any: ``agreement``, ``agreement_exact`` of exact search, and ``agreement_chance`` of
        candidates drawn evenly.
    """
    rows = np.unique(np.linspace(0, len(ids) - 1, QUERIES).round().astype(np.int64))
    there = np.flatnonzero(crowd.candidates)
    nearest = np.empty((len(rows), *ids.shape[1:]), np.int64)
    for quadrant in range(ids.shape[1]):
        points = np.ascontiguousarray(features[:, quadrant])
        nearest[:, quadrant] = knn.exact(points, rows, there, crowd.groups, NEIGHBOURS).ids
    found = ids[rows]
    hits = (found[..., None] == nearest[..., None, :]).any(axis=-1)
    values = {"recall": float(hits.mean())}
    if objects is not None and objects.present[rows].any():
        values["agreement"] = agreement(rows, found, objects)
        values["agreement_exact"] = agreement(rows, nearest, objects)
        values["agreement_chance"] = chance(rows, crowd, objects)
    return values


def agreement(rows: Labels, ids: npt.NDArray[np.integer], objects: Objects) -> float:
    """Share of neighbours with a category in common, over quadrants that show any.

    Args:
        rows: Q images.
        ids: Q×K×M, M neighbours for each of their K tiles.
        objects: of all images.
    """
    present = objects.present
    shared = np.stack(
        [
            (present[ids[:, quadrant], quadrant] & present[rows, quadrant][:, None]).any(axis=-1)
            for quadrant in range(ids.shape[1])
        ],
        axis=1,
    )
    return float(shared[present[rows].any(axis=-1)].mean())


def chance(rows: Labels, crowd: Crowd, objects: Objects) -> float:
    """The expected `agreement` of candidates drawn evenly."""
    there = np.flatnonzero(crowd.candidates)
    allowed = crowd.groups[rows][:, None] != crowd.groups[there]
    shares = []
    for quadrant in range(objects.areas.shape[1]):
        present = objects.present[:, quadrant].astype(np.float32)
        shared = (present[rows] @ present[there].T > 0) & allowed
        some = present[rows].any(axis=1)
        shares.append((shared.sum(axis=1) / allowed.sum(axis=1))[some])
    return float(np.concatenate(shares).mean())
