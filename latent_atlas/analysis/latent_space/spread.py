"""How codes are spread: principal components, their directions, centroids and distances.

The figures of Rich 2021, chapters 6 and 7: shares of variance (6.1–6.7), offsets of centroids
(table 6.1), angles between directions (table 6.2), mean distances between pairs (table 7.1).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import pdist

Codes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def spectrum(codes: Codes) -> tuple[Floats, Floats]:
    """Variances of the principal components, descending, and their directions, a row each.

    A direction has no sign of its own; here its largest number is positive, a common convention.

    Returns:
        min(N − 1, D) variances (divisor N − 1), and as many rows of D; none for a single code.
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
    """Share of all variance in each of the first `components`; 0 beyond those that there are."""
    variances, _ = spectrum(codes)
    shares = np.zeros(components)
    if variances.sum() > 0:
        known = (variances / variances.sum())[:components]
        shares[: len(known)] = known
    return shares


def effective_rank(codes: Codes) -> float:
    """The exponential of the entropy of the shares of variance: 1 for a line, D for a ball.

    Roy & Vetterli 2007, of the eigenvalues of the covariance; 0 if the codes do not vary.
    """
    variances, _ = spectrum(codes)
    if variances.sum() <= 0:
        return 0.0
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def first_angles(codes: Codes, others: Codes) -> tuple[float, float]:
    """Degrees between the first principal directions of two sets of codes.

    Returns:
        The angle between the two lines, 0 to 90; and between the two directions with the signs of
        `spectrum`, 0 to 180, as the report has it: above 90 the sign alone makes the difference.
        Not a number if one of the sets does not vary.
    """
    if not (np.ptp(codes, axis=0).any() and np.ptp(others, axis=0).any()):
        return np.nan, np.nan
    (_, first), (_, second) = spectrum(codes), spectrum(others)
    # Of unit vectors: the half angle by its sine, which is exact where they are the same.
    signed = 2 * np.degrees(np.arcsin(min(np.linalg.norm(first[0] - second[0]) / 2, 1)))
    return float(min(signed, 180 - signed)), float(signed)


def centroid_offset(codes: Codes, others: Codes) -> float:
    """Σ |difference| over the latents between the mean of `codes` and that of `others`."""
    return float(np.abs(codes.mean(0, dtype=np.float64) - others.mean(0, dtype=np.float64)).sum())


def mean_pair_distances(codes: Codes) -> tuple[float, float]:
    """The mean over all pairs of Σ |difference| (L1) and of the Euclidean distance (L2).

    The published distances, near 1.13 times the size of the code for a code that is standard
    normal, are of the first kind. Not a number for a single code.
    """
    if len(codes) < 2:
        return np.nan, np.nan
    wide = codes.astype(np.float64)
    return float(pdist(wide, "cityblock").mean()), float(pdist(wide, "euclidean").mean())
