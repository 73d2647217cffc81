"""Nearest neighbours: exact, within clusters, and by an inverted file.

Exact search uses batched matrix products to find the nearest candidates. The distances of these few
are then computed again from differences, because |x|² − 2xy + |y|² loses small distances to
rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latent_atlas.data.clustering import Labels, Points

_BLOCK = 2**22
"""Distances per batch: 16 MB, small enough for any machine and partly for a processor's cache."""


@dataclass(frozen=True)
class Neighbourhood:
    """The K nearest neighbours of N points, nearest first.

    Attributes:
        ids: int64 N×K, positions among the points; -1 where there are too few neighbours.
        distances: float32 N×K, L2; infinite where there are too few neighbours.
    """

    ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]

    @property
    def incomplete(self) -> npt.NDArray[np.int64]:
        """The points with fewer than K neighbours."""
        return np.flatnonzero(self.ids[:, -1] < 0)

    @staticmethod
    def empty(points: int, count: int) -> Neighbourhood:
        """Lists of `count` entries without any neighbour."""
        return Neighbourhood(
            np.full((points, count), -1, np.int64), np.full((points, count), np.inf, np.float32)
        )


def exact(
    points: Points, queries: Labels, candidates: Labels, groups: Labels, count: int
) -> Neighbourhood:
    """Find the nearest of the candidates for each query.

    Args:
        points: N×D.
        queries: Q positions among the points.
        candidates: positions among the points.
        groups: N numbers; points of the same group are never neighbours.
        count: K.

    Returns:
        The neighbours of the Q queries.
    """
    result = Neighbourhood.empty(len(queries), count)
    if not len(candidates):
        return result
    centre = points[candidates].mean(axis=0, dtype=np.float64).astype(np.float32)
    x = torch.from_numpy(points[candidates] - centre)
    x_group, x_norm = torch.from_numpy(groups[candidates]), (x * x).sum(1)
    kept = min(count, len(candidates))
    step = max(1, _BLOCK // len(candidates))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        q = torch.from_numpy(points[block] - centre)
        squares = torch.addmm(x_norm, q, x.T, alpha=-2)  # |q|² does not change the order
        same = torch.from_numpy(groups[block])[:, None] == x_group
        values = squares.masked_fill_(same, torch.inf).numpy()
        # NumPy's partition is twice as fast as torch.topk on a CPU.
        near = np.argpartition(values, kept - 1, axis=1)[:, :kept]
        absent = np.isinf(np.take_along_axis(values, near, axis=1))
        ids, distances = _sort_by_distance(q, x, torch.from_numpy(near), torch.from_numpy(absent))
        rows = slice(start, start + len(block))
        result.ids[rows, :kept] = np.where(ids >= 0, candidates[ids], -1)
        result.distances[rows, :kept] = distances
    return result


def _sort_by_distance(
    q: Tensor, x: Tensor, near: Tensor, absent: Tensor
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Positions in `x` (-1 where `absent`) and distances, both sorted by the exact distance."""
    differences = x.index_select(0, near.flatten()).view(*near.shape, -1).sub_(q[:, None])
    distances = torch.linalg.vector_norm(differences, dim=2)
    distances, order = distances.masked_fill(absent, torch.inf).sort(dim=1, stable=True)
    ids = near.masked_fill(absent, -1).gather(1, order)
    return ids.numpy(), distances.numpy()


def within_clusters(
    points: Points, labels: Labels, candidates: npt.NDArray[np.bool_], groups: Labels, count: int
) -> Neighbourhood:
    """Find the nearest candidates of each point in its own cluster (Zbinden 2019, algorithm 2).

    Args:
        points: N×D.
        labels: N cluster numbers.
        candidates: N booleans, which points may be neighbours.
        groups: see `exact`.
        count: K.
    """
    result = Neighbourhood.empty(len(points), count)
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        part = exact(points, members, members[candidates[members]], groups, count)
        result.ids[members], result.distances[members] = part.ids, part.distances
    return result


def by_inverted_file(
    points: Points,
    candidates: npt.NDArray[np.bool_],
    groups: Labels,
    count: int,
    *,
    lists: int,
    probes: int,
    seed: int,
) -> Neighbourhood:
    """Find approximate nearest candidates of each point with an inverted file.

    Source: Jégou et al. 2011, without the compression.

    Args:
        points, candidates, groups, count: see `within_clusters`.
        lists: number of clusters, each with one list of candidates.
        probes: number of nearest lists that are searched for each point.
        seed: of the clusters.
    """
    rows = np.flatnonzero(candidates)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], lists)
    index.cp.seed = seed % 2**31
    index.cp.min_points_per_centroid = 1
    index.nprobe = probes
    index.train(points[rows])
    index.add(points[rows])
    # The nearest candidates may all belong to the group of the point itself.
    largest_group = int(np.bincount(groups[rows]).max())
    squares, near = index.search(points, min(count + largest_group, len(rows)))
    ids = np.where(near >= 0, rows[near], -1)
    wrong = (ids < 0) | (groups[ids] == groups[:, None])
    order = np.argsort(wrong, axis=1, kind="stable")[:, :count]
    absent = np.take_along_axis(wrong, order, axis=1)
    ids = np.where(absent, -1, np.take_along_axis(ids, order, axis=1))
    distances = np.sqrt(np.maximum(np.take_along_axis(squares, order, axis=1), 0))
    return Neighbourhood(ids, np.where(absent, np.inf, distances).astype(np.float32))


def fill_incomplete(
    neighbourhood: Neighbourhood, points: Points, candidates: Labels, groups: Labels
) -> int:
    """Replace incomplete lists, in place, by the nearest of all candidates.

    Returns:
        The number of replaced lists.
    """
    rows = neighbourhood.incomplete
    nearest = exact(points, rows, candidates, groups, neighbourhood.ids.shape[1])
    neighbourhood.ids[rows], neighbourhood.distances[rows] = nearest.ids, nearest.distances
    return len(rows)
