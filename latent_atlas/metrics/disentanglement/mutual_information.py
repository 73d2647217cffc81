"""Metrics made of the mutual information of each latent with each factor, from histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import entr, rel_entr
from sklearn.metrics.cluster import expected_mutual_information

from latent_atlas.metrics.disentanglement.sample import (
    Floats,
    Ints,
    Kind,
    Sample,
    bin_numbers,
    check,
    mean_gap,
)


def mutual_information(
    codes: npt.ArrayLike, factors: npt.ArrayLike, kinds: Sequence[Kind], *, bins: int
) -> Floats:
    """Mutual information of every latent with every factor, the plug-in estimate.

    Latents and continuous factors are cut into equal intervals between their extremes. The
    estimate is too high by about (bins − 1)(classes − 1) / 2N nats, whatever the latent holds;
    `held_share` corrects for that.

    Args:
        codes: N×D.
        factors: N×K.
        kinds: of the K factors.
        bins: intervals; 20 in disentanglement_lib, on 10,000 images.

    Returns:
        D×K nats, from 0 to the factor's entropy.
    """
    return information(check(codes, factors, kinds), bins)


def mig(codes: npt.ArrayLike, factors: npt.ArrayLike, kinds: Sequence[Kind], *, bins: int) -> float:
    """Mutual information gap (Chen et al. 2018, equation 6), from 0 to 1.

    The gap between the two latents that know most of a factor, as a share of the factor's
    entropy, averaged over factors. Arguments as of `mutual_information`; D must be 2 or more.
    """
    sample = check(codes, factors, kinds, latents=2)
    return gap(information(sample, bins), entropies(sample, bins))


def modularity(
    codes: npt.ArrayLike, factors: npt.ArrayLike, kinds: Sequence[Kind], *, bins: int
) -> float:
    """Modularity (Ridgeway & Mozer 2018, section 3), from 0 to 1.

    One less the squared information of a latent with all but its best factor, relative to as
    much of all; averaged over latents. A latent without any information counts 0, as in
    disentanglement_lib. Arguments as of `mutual_information`; K must be 2 or more.
    """
    return purity(information(check(codes, factors, kinds, variables=2), bins))


def held_share(
    codes: npt.ArrayLike, factors: npt.ArrayLike, kinds: Sequence[Kind], *, bins: int
) -> Floats:
    """The share of each factor's information that each latent holds, beyond chance.

    (I − E I) / (H − E I), where E I is the exact expectation of the estimate when the latent's
    and the factor's values are paired at random (Vinh et al. 2010, equation 24a): 1 when the
    latent determines the factor's class, 0 on average for a latent that knows nothing, at any
    number of images. Arguments as of `mutual_information`.

    Returns:
        D×K, at most 1; a little below 0 by chance.
    """
    sample = check(codes, factors, kinds)
    chance = np.stack(
        [[_chance(table) for table in tables] for tables in contingencies(sample, bins)],
        axis=1,
    )
    share: Floats = (information(sample, bins) - chance) / (entropies(sample, bins) - chance)
    return share


def information(sample: Sample, bins: int) -> Floats:
    """`mutual_information` of a checked sample."""
    columns = [_information(tables) for tables in contingencies(sample, bins)]
    return np.stack(columns, axis=1)


def entropies(sample: Sample, bins: int) -> Floats:
    """The K entropies of the factors' classes, in nats."""
    shares = [np.bincount(column) / len(sample) for column in sample.classes(bins).T]
    return np.array([entr(share).sum() for share in shares])


def gap(information: Floats, entropy: Floats) -> float:
    """The mutual information gap; a factor without entropy (in a resample) counts 0."""
    share = np.divide(information, entropy, out=np.zeros_like(information), where=entropy > 0)
    return mean_gap(share)


def purity(information: Floats) -> float:
    """The modularity of a D×K matrix of mutual information."""
    squares = information**2
    best = squares.max(axis=1)
    rest = squares.sum(axis=1) - best
    # Ridgeway & Mozer's template is the best factor's information and 0 elsewhere.
    scale = best * (information.shape[1] - 1)
    deviation = np.divide(rest, scale, out=np.ones_like(rest), where=scale > 0)
    return float(np.mean(1 - deviation))


def contingencies(sample: Sample, bins: int) -> list[Ints]:
    """For each factor, the D×bins×classes counts of images by latent's interval and class."""
    latents = sample.codes.shape[1]
    intervals = np.stack([bin_numbers(latent, bins) for latent in sample.codes.T], axis=1)
    rows = intervals + bins * np.arange(latents)
    tables = []
    for column in sample.classes(bins).T:
        width = int(column.max()) + 1
        cells = (rows * width + column[:, None]).reshape(-1)
        counts = np.bincount(cells, minlength=latents * bins * width)
        tables.append(counts.reshape(latents, bins, width).astype(np.int64))
    return tables


def _information(tables: Ints) -> Floats:
    """Mutual information of the two axes of each of D tables of counts.

    Of whole numbers throughout, so that a latent in a single interval has exactly none.
    """
    images = tables[0].sum()
    independent = tables.sum(axis=2, keepdims=True) * tables.sum(axis=1, keepdims=True)
    excess = rel_entr(images * tables, independent).sum(axis=(1, 2))
    nats: Floats = np.maximum(excess / images**2, 0.0)
    return nats


def _chance(table: Ints) -> float:
    """The mutual information to expect of a table with these margins."""
    filled = table[table.any(axis=1)][:, table.any(axis=0)]
    return float(expected_mutual_information(filled, int(table.sum())))
