"""Fréchet distance, KID, inception score, and precision, recall, density and coverage.

They compare a set of real with a set of generated images by float N×D features of any network. A
Fréchet distance may be called FID only with the Inception network that defines it, so callers name
each distance after its features. No result depends on a batch size.

The arithmetic of the first three is torch-fidelity's. It is imported where it is used, because it
imports torchvision, which takes two seconds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import pairwise_distances_chunked

from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "frechet_*": Metric("lower", 0.05),
    "kid_*": Metric("lower", 0.1),
    "fid": Metric("lower", 0.05),
    "kid": Metric("lower", 0.1),
    "inception_score": Metric("higher", 0.05),
    "precision": Metric("higher", 0.2),
    "recall": Metric("higher", 0.2),
    "density": Metric("higher", 0.2),
    "coverage": Metric("higher", 0.2),
}
"""A caller puts the kind of the generated images before the name."""

Features = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]

KID_SUBSETS, KID_SIZE = 100, 1000
"""As in Bińkowski et al. 2018. Sets that are not larger are compared once, with all images."""

NEIGHBOURS = 5
"""A ball reaches to this neighbour of its image. A set needs more images than that."""

_LEAST_LOGIT = -700.0
"""Smaller log probabilities would become a probability of 0, and its logarithm times 0 is NaN."""


def frechet_distance(real: Features, fake: Features) -> float:
    """‖μ − ν‖² + tr(Σ + T − 2 (Σ T)^½) of two Gaussians (Heusel et al. 2017, equation 6).

    Its bias is positive with few images, and larger with fewer images than features: compare values
    of equal numbers of images only.

    With fewer images than features, the covariances are XᵀX and YᵀY of short matrices. Then
    tr((Σ T)^½) is the sum of the singular values of X Yᵀ, in a thousandth of the time.
    """
    if max(len(real), len(fake)) < real.shape[1]:
        return _frechet_of_few(real.astype(np.float64), fake.astype(np.float64))
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    statistics = [
        {"mu": part.mean(0), "sigma": np.atleast_2d(np.cov(part, rowvar=False))}
        for part in (real.astype(np.float64), fake.astype(np.float64))
    ]
    return float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID])


def kid(real: Features, fake: Features, seed: int) -> float:
    """Kernel distance: unbiased squared MMD with the kernel (x·y / D + 1)³, mean over subsets.

    Bińkowski et al. 2018, equation 4 and section 4. It is near 0 for equal distributions, possibly
    below. The subsets follow from `seed`.
    """
    if max(len(real), len(fake)) <= KID_SIZE:
        return _squared_mmd(real, fake)
    size = min(len(real), len(fake), KID_SIZE)
    random = np.random.default_rng(seed)
    values = [
        _squared_mmd(
            real[random.choice(len(real), size, replace=False)],
            fake[random.choice(len(fake), size, replace=False)],
        )
        for _ in range(KID_SUBSETS)
    ]
    return float(np.mean(values))


def inception_score(logits: Features, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL(p(y|x) ‖ p(y)) over images x, in each of the splits: mean and sd.

    Salimans et al. 2016, section 4; from 1 (the same for every image) to the number of outputs.

    Args:
        logits: N×C, before the softmax, in random order; N at least `splits`.
        splits: parts of about equal size.
    """
    from torch_fidelity.metric_isc import (
        KEY_METRIC_ISC_MEAN,
        KEY_METRIC_ISC_STD,
        isc_features_to_metric,
    )

    values = logits.astype(np.float64)
    values = (values - values.max(1, keepdims=True)).clip(_LEAST_LOGIT)
    scores = isc_features_to_metric(torch.from_numpy(values), splits, shuffle=False)
    return float(scores[KEY_METRIC_ISC_MEAN]), float(scores[KEY_METRIC_ISC_STD])


def precision_recall_density_coverage(
    real: Features, fake: Features, neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """Precision, recall, density and coverage, from balls around images up to a neighbour.

    Not torch-fidelity's: its precision and recall are swapped (version 0.4).

    Args:
        real, fake: N×D and M×D, both with more images than `neighbours`.
        neighbours: a ball reaches to this nearest image, counted from 1, of its own set.

    Returns:
        ``precision``: share of generated images in a ball of a real one; ``recall``: share of real
        images in a ball of a generated one (Kynkäänniemi et al. 2019, equations 1 and 2).
        ``density``: number of real balls around a generated image, divided by `neighbours`;
        ``coverage``: share of real balls with a generated image (Naeem et al. 2020, equations 7
        and 9).
    """
    real_radii, fake_radii = _radii(real, neighbours), _radii(fake, neighbours)
    in_real = np.zeros(len(fake), np.int64)
    covered = np.zeros(len(real), np.bool_)
    recalled = np.zeros(len(real), np.bool_)
    start = 0
    for distances in pairwise_distances_chunked(real, fake):
        rows = slice(start, start + len(distances))
        inside = distances <= real_radii[rows, None]
        in_real += inside.sum(0)
        covered[rows] = inside.any(1)
        recalled[rows] = (distances <= fake_radii).any(1)
        start += len(distances)
    return {
        "precision": float((in_real > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(in_real.mean() / neighbours),
        "coverage": float(covered.mean()),
    }


def _frechet_of_few(real: Matrix, fake: Matrix) -> float:
    means = real.mean(0), fake.mean(0)
    parts = zip((real, fake), means, strict=True)
    x, y = ((part - mean) / np.sqrt(len(part) - 1) for part, mean in parts)
    roots = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    shift = np.square(means[0] - means[1]).sum()
    return float(shift + np.square(x).sum() + np.square(y).sum() - 2 * roots)


def _squared_mmd(real: Features, fake: Features) -> float:
    """The unbiased estimate; torch-fidelity's `mmd2` requires sets of equal size."""
    from torch_fidelity.metric_kid import kernel_poly

    x, y = real.astype(np.float64), fake.astype(np.float64)
    within = 0.0
    for part in (x, y):
        kernel, count = kernel_poly(part, part), len(part)
        within += float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
    return within - 2 * float(kernel_poly(x, y).mean())


def _radii(features: Features, neighbours: int) -> Matrix:
    """The distance of each row to its nearest other row of rank `neighbours`."""
    radii = [
        np.partition(block, neighbours, axis=1)[:, neighbours]  # the nearest is the row itself
        for block in pairwise_distances_chunked(features)
    ]
    return np.concatenate(radii)
