"""Total correlation of the latents, a metric without true factors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_atlas.metrics.disentanglement.sample import matrix
from latent_atlas.metrics.tolerance import Metric

METRICS = {"gaussian_total_correlation*": Metric("either", 0.5, "nats")}
"""With the ends of its interval."""


def gaussian_total_correlation(codes: npt.ArrayLike) -> float:
    """Total correlation in nats of the Gaussian with the covariance of `codes` (N×D).

    ½(Σ log Σ_dd − log det Σ), which is −½ log det of the correlations: 0 for uncorrelated
    latents, infinite if one is a linear function of others. A constant latent is independent of
    all others and adds 0.

    Raises:
        ValueError: for fewer than `sample.MINIMUM` images, or numbers that are not finite.
    """
    array = matrix(codes, "codes")
    varying = array[:, np.ptp(array, axis=0) > 0]
    if varying.shape[1] < 2:
        return 0.0
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(varying, rowvar=False))
    if eigenvalues[0] <= len(eigenvalues) * np.finfo(np.float64).eps:
        return float("inf")
    return max(0.0, float(-0.5 * np.log(eigenvalues).sum()))
