"""The FactorVAE and β-VAE scores: which factor is held fixed, told from the codes.

Both were defined with a simulator that draws images with one factor fixed and the others at
random. Data sets are finite here, so the images with the same value of a factor stand in for its
simulator: equal class, or the same of `bins` equal intervals of a continuous factor. They are
drawn from that group with replacement, and the fixed value is that of an image drawn uniformly,
so values occur as often as in the data. Two things follow. A continuous factor still varies by
1/bins of its range, so more bins are stricter, but groups are smaller. And where factors are
correlated in the data, fixing one also fixes part of the others, which the simulator would not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from latent_atlas.metrics.disentanglement.sample import Ints, Kind, Sample, check

_BLOCK = 1000  # votes at once: bounds memory, changes no result


def factor_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    bins: int,
    train: int,
    test: int,
    batch: int,
    least_deviation: float,
) -> float:
    """FactorVAE score (Kim & Mnih 2018, section 4 and appendix B); chance is about 1/K.

    In a batch of images with one factor fixed, the latent that varies least, relative to its
    variance over all images, votes for that factor; the score is the accuracy of each latent's
    majority vote.

    Args:
        codes: N×D.
        factors: N×K, K 2 or more.
        kinds: of the K factors.
        seed: of the draws.
        bins: see above; disentanglement_lib needs none, its factors are discrete.
        train: votes that decide the majority; 10,000 in disentanglement_lib.
        test: votes that are scored; 5,000 in disentanglement_lib.
        batch: images a vote; 64 in disentanglement_lib.
        least_deviation: latents with a smaller standard deviation over all images do not vote;
            0.05 in disentanglement_lib, absolute, as a prior of deviation 1 sets the scale.

    Returns:
        From 0 to 1; 0 where no latent votes.
    """
    sample = check(codes, factors, kinds, variables=2)
    variance = sample.codes.var(axis=0, ddof=1)
    active = np.sqrt(variance) >= least_deviation
    if not active.any():
        return 0.0
    latents = sample.codes[:, active] / np.sqrt(variance[active])
    rng = np.random.default_rng(seed)
    factor, first = _anchors(sample, bins, train + test, 1, rng)
    rows = _mates(sample, bins, factor, np.repeat(first, batch, axis=1), rng)
    votes = np.concatenate(
        [latents[block].var(axis=1, ddof=1).argmin(axis=1) for block in _blocks(rows)]
    )
    table = np.zeros((latents.shape[1], len(sample.kinds)), dtype=np.int64)
    np.add.at(table, (votes[:train], factor[:train]), 1)
    return float(np.mean(table.argmax(axis=1)[votes[train:]] == factor[train:]))


def beta_vae_score(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    bins: int,
    train: int,
    test: int,
    batch: int,
) -> float:
    """β-VAE score (Higgins et al. 2017, section 3); chance is about 1/K.

    The accuracy with which a logistic regression tells the factor that each of `batch` pairs of
    images have in common from their mean absolute difference of codes.

    Args:
        codes: N×D.
        factors: N×K, K 2 or more.
        kinds: of the K factors.
        seed: of the draws.
        bins: see above.
        train: differences to fit; 10,000 in disentanglement_lib.
        test: differences that are scored; 5,000 in disentanglement_lib.
        batch: pairs a difference; 64 in disentanglement_lib.

    Returns:
        From 0 to 1.
    """
    sample = check(codes, factors, kinds, variables=2)
    rng = np.random.default_rng(seed)
    factor, first = _anchors(sample, bins, train + test, batch, rng)
    second = _mates(sample, bins, factor, first, rng)
    difference = np.concatenate(
        [
            np.abs(sample.codes[one] - sample.codes[other]).mean(axis=1)
            for one, other in zip(_blocks(first), _blocks(second), strict=True)
        ]
    )
    model = LogisticRegression(max_iter=10_000).fit(difference[:train], factor[:train])
    return float(model.score(difference[train:], factor[train:]))


def _anchors(
    sample: Sample, bins: int, draws: int, width: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """For each draw the factor to fix, and `width` images (draws×width) whose values to fix.

    An image that shares its value with no other is not drawn: alone, it varies in nothing.
    """
    factor = rng.integers(len(sample.kinds), size=draws)
    chance = rng.random((draws, width))
    rows = np.empty((draws, width), dtype=np.int64)
    for column, classes in enumerate(sample.classes(bins).T):
        shared = np.flatnonzero(np.bincount(classes)[classes] > 1)
        if not len(shared):
            raise ValueError(f"factors column {column}: no two images have the same value")
        mine = factor == column
        rows[mine] = shared[(chance[mine] * len(shared)).astype(np.int64)]
    return factor, rows


def _mates(sample: Sample, bins: int, factor: Ints, rows: Ints, rng: np.random.Generator) -> Ints:
    """For each of `rows` an image with the same value of the draw's factor, maybe itself."""
    chance = rng.random(rows.shape)
    mates = np.empty_like(rows)
    for column, classes in enumerate(sample.classes(bins).T):
        order = np.argsort(classes, kind="stable")
        size = np.bincount(classes)
        start = np.cumsum(size) - size
        mine = factor == column
        group = classes[rows[mine]]
        mates[mine] = order[start[group] + (chance[mine] * size[group]).astype(np.int64)]
    return mates


def _blocks(rows: Ints) -> list[Ints]:
    return [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
