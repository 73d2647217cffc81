"""Mutual information of each latent with each factor, from histograms."""

from __future__ import annotations

import numpy as np
from scipy.special import entr, rel_entr
from sklearn.metrics.cluster import expected_mutual_information

from latent_atlas.metrics.disentanglement.sample import Floats, Ints, Sample, bin_numbers


def mutual_information(sample: Sample, bins: int) -> Floats:
    """Mutual information of every latent with every factor, the plug-in estimate.

    Latents and continuous factors are cut into equal intervals between their extremes. The
    estimate is too high by about (bins − 1)(classes − 1) / 2N nats for any latent;
    `normalised_mutual_information` corrects for that.

    Returns:
        D×K nats, from 0 to the factor's entropy.
    """
    return np.stack([_plug_in(tables) for tables in _contingencies(sample, bins)], axis=1)


def normalised_mutual_information(sample: Sample, bins: int) -> Floats:
    """Mutual information of every latent with every factor, beyond chance, as a share of entropy.

    (I − E I) / (H − E I), where E I is the exact expectation of the estimate when the latent's
    and the factor's values are paired at random (Vinh et al. 2010, equation 24a). It is 1 when the
    latent determines the factor's class, and 0 on average for an unrelated latent, at any number
    of images.

    Returns:
        D×K, at most 1; a little below 0 by chance.
    """
    chance = np.stack(
        [[_chance(table) for table in tables] for tables in _contingencies(sample, bins)], axis=1
    )
    values: Floats = mutual_information(sample, bins) - chance
    return values / (entropies(sample, bins) - chance)


def entropies(sample: Sample, bins: int) -> Floats:
    """The K entropies of the factors' classes, in nats."""
    shares = [np.bincount(column) / len(sample) for column in sample.classes(bins).T]
    return np.array([entr(share).sum() for share in shares])


def _contingencies(sample: Sample, bins: int) -> list[Ints]:
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


def _plug_in(tables: Ints) -> Floats:
    """Mutual information of the two axes of each of D tables of counts.

    The products are whole numbers, so that a latent in a single interval has exactly none.
    """
    images = tables[0].sum()
    independent = tables.sum(axis=2, keepdims=True) * tables.sum(axis=1, keepdims=True)
    excess = rel_entr(images * tables, independent).sum(axis=(1, 2))
    nats: Floats = np.maximum(excess / images**2, 0.0)
    return nats


def _chance(table: Ints) -> float:
    """The expected mutual information of a random table with these margins."""
    filled = table[table.any(axis=1)][:, table.any(axis=0)]
    return float(expected_mutual_information(filled, int(table.sum())))
