"""Nearest neighbours by batched matrix products, exactly, within clusters or among all.

A product finds the closest few; their distances are then computed anew from the differences, since
|x|² − 2xy + |y|² loses the small ones to rounding.
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
"""Distances at once: 16 MB, which a processor's cache partly holds and a small machine easily."""


@dataclass(frozen=True)
class Found:
    """Neighbours of N points, nearest first.

    Attributes:
        ids: int64 N×K, positions among the points; -1 where there are too few.
        distances: float32 N×K, L2; infinite there.
    """

    ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]

    @property
    def short(self) -> npt.NDArray[np.int64]:
        """The points whose lists are not full."""
        return np.flatnonzero(self.ids[:, -1] < 0)


def exact(points: Points, queries: Labels, candidates: Labels, groups: Labels, count: int) -> Found:
    """The nearest of the `candidates` for each of the `queries`, both positions among the points.

    Args:
        points: N×D.
        queries: Q positions.
        candidates: positions.
        groups: N numbers; points of one group are no neighbours of each other.
        count: K.

    Returns:
        for the Q queries.
    """
    found = Found(
        np.full((len(queries), count), -1, np.int64),
        np.full((len(queries), count), np.inf, np.float32),
    )
    if not len(candidates):
        return found
    centre = points[candidates].mean(axis=0, dtype=np.float64).astype(np.float32)
    x = torch.from_numpy(points[candidates] - centre)
    x_group, x_norm = torch.from_numpy(groups[candidates]), (x * x).sum(1)
    kept = min(count, len(candidates))
    step = max(1, _BLOCK // len(candidates))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        q = torch.from_numpy(points[block] - centre)
        squares = torch.addmm(x_norm, q, x.T, alpha=-2)  # less |q|², which orders nothing
        same = torch.from_numpy(groups[block])[:, None] == x_group
        values = squares.masked_fill_(same, torch.inf).numpy()
        # Numpy's partition is twice as fast as torch.topk on a CPU.
        near = np.argpartition(values, kept - 1, axis=1)[:, :kept]
        absent = np.isinf(np.take_along_axis(values, near, axis=1))
        ids, distances = _ordered(q, x, torch.from_numpy(near), torch.from_numpy(absent))
        rows = slice(start, start + len(block))
        found.ids[rows, :kept] = np.where(ids >= 0, candidates[ids], -1)
        found.distances[rows, :kept] = distances
    return found


def _ordered(
    q: Tensor, x: Tensor, near: Tensor, absent: Tensor
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Positions in `x`, -1 where `absent`, and distances, both in the order of true distances."""
    differences = x.index_select(0, near.flatten()).view(*near.shape, -1).sub_(q[:, None])
    distances = torch.linalg.vector_norm(differences, dim=2)
    distances, order = distances.masked_fill(absent, torch.inf).sort(dim=1, stable=True)
    ids = near.masked_fill(absent, -1).gather(1, order)
    return ids.numpy(), distances.numpy()


def within_clusters(
    points: Points, labels: Labels, candidates: npt.NDArray[np.bool_], groups: Labels, count: int
) -> Found:
    """For each point the nearest candidates in its own cluster (scene mixing thesis, algorithm 2).

    Args:
        points: N×D.
        labels: N cluster numbers.
        candidates: N; which of them may be neighbours.
        groups: see `exact`.
        count: K.
    """
    found = Found(
        np.full((len(points), count), -1, np.int64),
        np.full((len(points), count), np.inf, np.float32),
    )
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        part = exact(points, members, members[candidates[members]], groups, count)
        found.ids[members], found.distances[members] = part.ids, part.distances
    return found


def by_inverted_file(
    points: Points,
    candidates: npt.NDArray[np.bool_],
    groups: Labels,
    count: int,
    *,
    lists: int,
    probes: int,
    seed: int,
) -> Found:
    """For each point about the nearest candidates: those in the `probes` nearest of so many lists.

    Args:
        points, candidates, groups, count: see `within_clusters`.
        lists: clusters of the inverted file (Jégou et al. 2011, without its compression).
        probes: lists that are searched.
        seed: of the clusters.
    """
    there = np.flatnonzero(candidates)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], lists)
    index.cp.seed = seed % 2**31
    index.cp.min_points_per_centroid = 1
    index.nprobe = probes
    index.train(points[there])
    index.add(points[there])
    most = int(np.bincount(groups[there]).max())  # so many may have to be passed over
    squares, near = index.search(points, min(count + most, len(there)))
    ids = np.where(near >= 0, there[near], -1)
    wrong = (ids < 0) | (groups[ids] == groups[:, None])
    order = np.argsort(wrong, axis=1, kind="stable")[:, :count]
    absent = np.take_along_axis(wrong, order, axis=1)
    ids = np.where(absent, -1, np.take_along_axis(ids, order, axis=1))
    distances = np.sqrt(np.maximum(np.take_along_axis(squares, order, axis=1), 0))
    return Found(ids, np.where(absent, np.inf, distances).astype(np.float32))


def fill(found: Found, points: Points, candidates: Labels, groups: Labels) -> int:
    """Give the points whose lists are not full the nearest of all candidates, in place.

    Returns:
        how many points that were.
    """
    short = found.short
    whole = exact(points, short, candidates, groups, found.ids.shape[1])
    found.ids[short], found.distances[short] = whole.ids, whole.distances
    return len(short)
