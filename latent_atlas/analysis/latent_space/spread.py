"""Spread of codes: principal components, their directions, centroids and distances.

As in Rich 2021, chapters 6 and 7: shares of variance (figures 6.1 to 6.7), offsets of centroids
(table 6.1), angles between directions (table 6.2), mean distances of pairs (table 7.1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "first_share": Metric("either", 0.1),
    "ten_shares": Metric("either", 0.1),
    "effective_rank": Metric("either", 0.1),
}

Codes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def spectrum(codes: Codes) -> tuple[Floats, Floats]:
    """Variances of the principal components, descending, and their directions as rows.

    By a common convention, the largest entry of a direction is positive: its sign is arbitrary.

    Returns:
        min(N − 1, D) variances (divisor N − 1), and equally many rows of D; none for a single code.
    """
    centred = codes.astype(np.float64) - codes.mean(0, dtype=np.float64)
    rank = min(len(codes) - 1, codes.shape[1])
    if rank < 1:
        return np.empty(0), np.empty((0, codes.shape[1]))
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:rank]
    largest = directions[np.arange(rank), np.abs(directions).argmax(1)]
    return lengths[:rank] ** 2 / (len(codes) - 1), directions * np.sign(largest)[:, None]


def variance_shares(codes: Codes, components: int) -> Floats:
    """Share of the total variance in each of the first `components`; 0 beyond the last one."""
    variances, _ = spectrum(codes)
    shares = np.zeros(components)
    if variances.sum() > 0:
        first = (variances / variances.sum())[:components]
        shares[: len(first)] = first
    return shares


def effective_rank(codes: Codes) -> float:
    """Exponential of the entropy of the shares of variance: 1 for a line, D for a ball.

    Roy & Vetterli 2007, on the eigenvalues of the covariance; 0 if the codes do not vary.
    """
    variances, _ = spectrum(codes)
    if variances.sum() <= 0:
        return 0.0
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def first_angles(codes: Codes, others: Codes) -> tuple[float, float]:
    """Angles in degrees between the first principal directions of two sets of codes.

    Returns:
        The angle between the two lines, 0 to 90, and the angle between the two directions with the
        signs of `spectrum`, 0 to 180. Rich 2021 reports the latter; values above 90 result from the
        sign convention. NaN if one of the sets does not vary.
    """
    if not (np.ptp(codes, axis=0).any() and np.ptp(others, axis=0).any()):
        return np.nan, np.nan
    (_, first), (_, second) = spectrum(codes), spectrum(others)
    # The sine of the half angle of two unit vectors is exact where they are equal.
    signed = 2 * np.degrees(np.arcsin(min(np.linalg.norm(first[0] - second[0]) / 2, 1)))
    return float(min(signed, 180 - signed)), float(signed)


def centroid_offset(codes: Codes, others: Codes) -> float:
    """L1 distance Σ |difference| between the mean of `codes` and the mean of `others`."""
    return float(np.abs(codes.mean(0, dtype=np.float64) - others.mean(0, dtype=np.float64)).sum())


def mean_pair_distances(codes: Codes) -> tuple[float, float]:
    """Mean L1 distance and mean Euclidean distance (L2) over all pairs of codes.

    The distances published in Rich 2021 are L1: they are near 1.13 times the number of latents, as
    for standard normal codes. NaN for a single code.
    """
    if len(codes) < 2:
        return np.nan, np.nan
    wide = codes.astype(np.float64)
    return float(pdist(wide, "cityblock").mean()), float(pdist(wide, "euclidean").mean())
