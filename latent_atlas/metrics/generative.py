"""How alike two sets of images are, by their features: Fréchet distance, KID, and the four shares.

All take float N×D features of real and of generated images, from any network; a Fréchet distance is
called FID only with the one Inception network that defines it, so here each is named after its
features. Nothing depends on a batch size.
And the inception score, of outputs of that same network.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import pairwise_distances_chunked

Features = npt.NDArray[np.floating]
Matrix = npt.NDArray[np.float64]

KID_SUBSETS, KID_SIZE = 100, 1000
"""As in Bińkowski et al. 2018; smaller sets are compared whole, once."""

NEIGHBOURS = 5
"""Up to which of its neighbours a ball reaches; a set needs more images than that."""


def frechet(real: Features, fake: Features) -> float:
    """‖μ − ν‖² + tr(Σ + T − 2 (Σ T)^½) of two Gaussians (Heusel et al. 2017, equation 6).

    Biased upwards by few images, and more so by fewer than features: compare equal numbers only.
    """
    mean, other_mean = real.mean(0, dtype=np.float64), fake.mean(0, dtype=np.float64)
    covariance = np.atleast_2d(np.cov(real.astype(np.float64), rowvar=False))
    other = np.atleast_2d(np.cov(fake.astype(np.float64), rowvar=False))
    # tr (Σ T)^½ = tr (Σ^½ T Σ^½)^½, and the latter is symmetric.
    root = _square_root(covariance)
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(0)).sum()
    apart = np.square(mean - other_mean).sum()
    return float(apart + np.trace(covariance) + np.trace(other) - 2 * shared)


def kid(real: Features, fake: Features, seed: int) -> float:
    """Kernel distance: unbiased squared MMD with the kernel (x·y / D + 1)³, mean over subsets.

    Bińkowski et al. 2018, equation 4 and section 4. Near 0, and possibly below, for equal sets.
    """
    size = min(len(real), len(fake), KID_SIZE)
    if max(len(real), len(fake)) <= KID_SIZE:
        return _squared_mmd(real.astype(np.float64), fake.astype(np.float64))
    random = np.random.default_rng(seed)
    found = [
        _squared_mmd(
            real[random.choice(len(real), size, replace=False)].astype(np.float64),
            fake[random.choice(len(fake), size, replace=False)].astype(np.float64),
        )
        for _ in range(KID_SUBSETS)
    ]
    return float(np.mean(found))


def inception_score(logits: Features, splits: int = 10) -> tuple[float, float]:
    """exp of the mean KL(p(y|x) ‖ p(y)) over images x, in each of the splits: mean and sd.

    Salimans et al. 2016, section 4; from 1 (the same for every image) to the number of outputs.

    Args:
        logits: N×C, before the softmax, in random order; N at least `splits`.
        splits: parts of about equal size.
    """
    scores = []
    for start, end in pairwise(len(logits) * part // splits for part in range(splits + 1)):
        logs = log_softmax(logits[start:end].astype(np.float64), axis=1)
        marginal = logsumexp(logs, axis=0) - np.log(len(logs))
        divergence = (np.exp(logs) * (logs - marginal)).sum(1)
        scores.append(np.exp(divergence.mean()))
    return float(np.mean(scores)), float(np.std(scores))


def shares(real: Features, fake: Features, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall, density and coverage, by balls around images up to a neighbour.

    Args:
        real, fake: N×D and M×D, both with more images than `neighbours`.
        neighbours: a ball reaches to the so many-th nearest image of its own set.

    Returns:
        ``precision``: share of generated images in a ball of a real one; ``recall``: share of real
        images in a ball of a generated one (Kynkäänniemi et al. 2019, equations 1 and 2).
        ``density``: how many real balls a generated image is in, by `neighbours`; ``coverage``:
        share of real balls with a generated image (Naeem et al. 2020, equations 7 and 9).
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


def _square_root(matrix: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh(matrix)
    root: Matrix = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root


def _squared_mmd(real: Matrix, fake: Matrix) -> float:
    def kernel(a: Matrix, b: Matrix) -> Matrix:
        values: Matrix = (a @ b.T / a.shape[1] + 1) ** 3
        return values

    def within(features: Matrix) -> float:
        values, count = kernel(features, features), len(features)
        return float((values.sum() - np.trace(values)) / (count * (count - 1)))

    return within(real) + within(fake) - 2 * float(kernel(real, fake).mean())


def _radii(features: Features, neighbours: int) -> Matrix:
    """The distance of each row to its so many-th nearest other row."""
    radii = [
        np.partition(block, neighbours, axis=1)[:, neighbours]  # the nearest is the row itself
        for block in pairwise_distances_chunked(features)
    ]
    return np.concatenate(radii)
