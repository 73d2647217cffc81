"""Clusters of features: whitening, k-means, and purity."""

from __future__ import annotations

import faiss
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

_MIN_VARIANCE = 1e-6  # of the largest variance; smaller ones are rounding errors
_MIN_SPREAD = 1e-10  # of the mean square: the same image in two batches differs by about 1e-12


def whiten(features: Points, components: int) -> Points:
    """Project features to principal components of unit variance and scale each row to unit length.

    Source: Caron et al. 2018, section 4.

    Args:
        features: N×D.
        components: number of components to keep; fewer where the features vary in fewer directions.

    Returns:
        N×K, each row of length 1; K is 0 where the features do not vary.
    """
    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    variances, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(centred))
    order = np.argsort(-variances)[:components]
    squares = float(np.square(features, dtype=np.float64).mean(axis=0).max())
    least = max(_MIN_VARIANCE * variances.max(), _MIN_SPREAD * squares, np.finfo(np.float32).tiny)
    order = order[variances[order] > least]
    points = centred @ (directions[:, order] / np.sqrt(variances[order])).astype(np.float32)
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)


def kmeans(points: Points, clusters: int, iterations: int, seed: int) -> tuple[Labels, Points]:
    """Cluster all points with faiss, which refills an empty cluster from half of a large one.

    Args:
        points: N×D.
        clusters: K, at most N.
        iterations: of Lloyd's algorithm.
        seed: of the initial centroids.

    Returns:
        N cluster numbers, and the K×D centroids.
    """
    model = faiss.Kmeans(
        points.shape[1],
        clusters,
        niter=iterations,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),  # faiss would train on a subsample
    )
    model.train(points)
    centroids = np.asarray(model.centroids)
    return assign(points, centroids), centroids


def assign(points: Points, centroids: Points) -> Labels:
    """The number of the nearest of K×D centroids, for each of N×D points."""
    index = faiss.IndexFlatL2(centroids.shape[1])
    index.add(centroids)
    labels: Labels = index.search(points, 1)[1][:, 0]
    return labels


def purity(labels: Labels, truth: Labels) -> float:
    """The share of points whose class is the most frequent class of their cluster."""
    table = np.zeros((labels.max() + 1, truth.max() + 1), np.int64)
    np.add.at(table, (labels, truth), 1)
    return float(table.max(axis=1).sum() / len(labels))
