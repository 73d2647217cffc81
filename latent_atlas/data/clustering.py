"""Clusters of features: whitening, k-means, and how well two groupings agree."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_SMALLEST = 1e-6  # of the largest variance: below it a direction holds rounding errors alone


def whiten(features: Points, components: int) -> Points:
    """Principal components of unit variance, then of unit length (Caron et al. 2018, section 4).

    Args:
        features: N×D.
        components: how many to keep; fewer where the features vary in fewer directions.

    Returns:
        N×K, each row of length 1; K is 0 where the features do not vary.
    """
    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    variances, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(centred))
    order = np.argsort(-variances)[:components]
    order = order[variances[order] > _SMALLEST * max(variances.max(), np.finfo(np.float32).tiny)]
    points = centred @ (directions[:, order] / np.sqrt(variances[order])).astype(np.float32)
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)


def kmeans(points: Points, clusters: int, iterations: int, seed: int) -> tuple[Labels, Points]:
    """Cluster all points; an empty cluster takes half of a large one (faiss).

    Args:
        points: N×D.
        clusters: K, at most N.
        iterations: of Lloyd's algorithm.
        seed: of the first centroids.

    Returns:
        N cluster numbers, and the K×D centroids.
    """
    found = faiss.Kmeans(
        points.shape[1],
        clusters,
        niter=iterations,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),  # no subsample
    )
    found.train(points)
    centroids = np.asarray(found.centroids)
    return assign(points, centroids), centroids


def assign(points: Points, centroids: Points) -> Labels:
    """The nearest of K×D centroids to each of N×D points."""
    index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(centroids)
    labels: Labels = index.search(points, 1)[1][:, 0]
    return labels


def purity(labels: Labels, truth: Labels) -> float:
    """Share of points whose class is the most frequent one of their cluster."""
    table = np.zeros((labels.max() + 1, truth.max() + 1), np.int64)
    np.add.at(table, (labels, truth), 1)
    return float(table.max(axis=1).sum() / len(labels))
