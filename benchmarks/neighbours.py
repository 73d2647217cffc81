"""Neighbours within clusters against scikit-learn's on the same task, and against exact search.

Three in turn, on the same points: ours; one `NearestNeighbors` a cluster; and our exact search
among all, of some queries only and scaled up, since its time is proportional to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from benchmarks.results import Result, Target, number, ratio
from benchmarks.size import Size
from latent_atlas.analysis.neighbours import knn
from latent_atlas.data.clustering import Labels, Points
from latent_atlas.data.neighbour_table import NEIGHBOURS

DIMENSIONS = 256
MEMBERS = 300
"""Mean number of points per cluster."""

_GEMM = 2048
_QUERIES = 1000

TO_SCIKIT, TO_EXACT = Target("at least", 1.0), Target("at least", 1.0)


def measure_neighbour_search(size: Size) -> list[Result]:
    """Ratios and costs for each number of quadrants."""
    return [result for count in size.quadrants for result in _measure(count, size.searches)]


def _measure(count: int, rounds: int) -> list[Result]:
    points, labels = clustered(count)
    everyone, all_of_them = np.arange(count), np.ones(count, np.bool_)
    queries = np.linspace(0, count - 1, min(_QUERIES, count)).astype(np.int64)

    def ours() -> None:
        knn.within_clusters(points, labels, all_of_them, everyone, NEIGHBOURS)

    def exact() -> None:
        knn.exact(points, queries, everyone, everyone, NEIGHBOURS)

    square = torch.rand(_GEMM, _GEMM)
    contenders: dict[str, Callable[[], object]] = {
        "ours": ours,
        "scikit": lambda: scikit(points, labels),
        "exact": exact,
        "gemm": lambda: square @ square,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    whole = [taken * count / len(queries) for taken in seconds["exact"]]
    products = 2.0 * DIMENSIONS * float((np.bincount(labels).astype(np.float64) ** 2).sum())
    shares = [
        100 * (products / own) / (2.0 * _GEMM**3 / gemm)
        for own, gemm in zip(seconds["ours"], seconds["gemm"], strict=True)
    ]
    name = f"neighbours of {count:,} quadrants"

    def against(rival: list[float]) -> str:
        return f"{number(np.median(seconds['ours']))} s against {number(np.median(rival))} s"

    return [
        Result(
            f"{name} / scikit-learn",
            "×",
            ratio(seconds["ours"], seconds["scikit"]),
            TO_SCIKIT,
            against(seconds["scikit"]),
        ),
        Result(
            f"{name} / exact search", "×", ratio(seconds["ours"], whole), TO_EXACT, against(whole)
        ),
        Result(f"{name}, of the rate of products", "%", shares, None, f"2 × {_GEMM}³ in one"),
    ]


def clustered(count: int) -> tuple[Points, Labels]:
    """Points around centres; the centres are as far apart as the points of one cluster."""
    random = np.random.default_rng(0)
    clusters = max(1, count // MEMBERS)
    labels = random.integers(clusters, size=count)
    centres = random.normal(size=(clusters, DIMENSIONS)).astype(np.float32)
    noise = random.standard_normal((count, DIMENSIONS), np.float32)
    return centres[labels] + noise, labels


def scikit(points: Points, labels: Labels) -> Labels:
    """The neighbours of every point in its cluster, by scikit-learn: N×10 positions."""
    ids = np.empty((len(points), NEIGHBOURS), np.int64)
    for cluster in np.unique(labels):
        members = np.flatnonzero(labels == cluster)
        fitted = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(points[members])
        ids[members] = members[fitted.kneighbors(return_distance=False)]
    return ids
