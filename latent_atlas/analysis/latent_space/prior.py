"""Tests of distributions: codes against the prior, and two sets of codes against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import false_discovery_control, normaltest

from latent_atlas.analysis.latent_space.spread import Codes, Floats
from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "energy_prior": Metric("either", 0.3, headline=True),
    "energy_*": Metric("either", 0.3),
    "not_normal_latents": Metric("either", 0.3),
}

MIN_CODES = 20
"""Smallest number of codes for the test of normality."""


@dataclass(frozen=True)
class EnergyDistance:
    """The energy distance between two sets of codes.

    Attributes:
        distance: 0 for equal distributions, 1 for two different points.
        low, high: 95 % interval, from bootstrap samples of each set.
        p: p-value of the permutation test: share of random divisions of the codes, including the
            actual one, with at least this distance.
    """

    distance: float
    low: float
    high: float
    p: float


def rejected_latents(codes: Codes, level: float = 0.05) -> float:
    """Share of latents that are not normally distributed, for any mean and variance.

    The test is that of D'Agostino & Pearson 1973, on skewness and kurtosis. The false discovery
    rate is `level` (Benjamini & Hochberg 1995). A constant latent is rejected.

    Raises:
        ValueError: for fewer than `MIN_CODES` codes.
    """
    if len(codes) < MIN_CODES:
        raise ValueError(f"found {len(codes)} codes, expected at least {MIN_CODES}")
    values = codes.astype(np.float64)
    constant = np.ptp(values, axis=0) == 0
    p = np.zeros(values.shape[1])
    if not constant.all():
        p[~constant] = normaltest(values[:, ~constant], axis=0).pvalue
    return float((false_discovery_control(p) <= level).mean())


def energy_distance(first: Codes, second: Codes, draws: int, seed: int) -> EnergyDistance:
    """The energy distance E of two sets, as a share H of 2·E|x − y|.

    E = 2 E|x − y| − E|x − x′| − E|y − y′| (Székely & Rizzo 2013). The means include the pair of a
    code and itself, so that E is never below 0. H = E / 2 E|x − y| lies between 0 and 1. Two
    samples of the same distribution have a distance above 0 that shrinks with their size. Use the
    p-value, not the distance alone, to decide whether two distributions differ. The bootstrap
    interval is shifted to the estimate, since all bootstrap samples have larger distances.

    Args:
        first, second: N×D and M×D codes.
        draws: number of permutations and of bootstrap samples.
        seed: of both.
    """
    together = np.concatenate([first, second]).astype(np.float64)
    distances = cdist(together, together)
    sizes = len(first), len(second)
    # A row of weights counts how often each code is drawn into a set.
    random = np.random.default_rng(seed)
    actual = np.zeros((1, len(together)))
    actual[0, : sizes[0]] = 1
    divisions = np.stack([random.permutation(actual[0]) for _ in range(draws)])
    estimate = _shares(distances, actual, 1 - actual)[0]
    permuted = _shares(distances, divisions, 1 - divisions)
    samples: list[Floats] = [np.zeros((draws, len(together))) for _ in sizes]
    starts = 0, sizes[0]
    for part, start, size in zip(samples, starts, sizes, strict=True):
        part[:, start : start + size] = random.multinomial(size, np.full(size, 1 / size), draws)
    resampled = _shares(distances, *samples)
    low, high = np.quantile(resampled, [0.025, 0.975]) + estimate - resampled.mean()
    p = (1 + (permuted >= estimate - 1e-12).sum()) / (1 + draws)
    return EnergyDistance(float(estimate), float(max(low, 0)), float(high), float(p))


def _shares(distances: Floats, first: Floats, second: Floats) -> Floats:
    """H for each row of weights: K×(N+M) for the first set, and for the second."""
    first = first / first.sum(1, keepdims=True)
    second = second / second.sum(1, keepdims=True)
    to_first, to_second = first @ distances, second @ distances
    between = (to_first * second).sum(1)
    within = (to_first * first).sum(1) + (to_second * second).sum(1)
    return np.where(between > 0, 1 - within / np.where(between > 0, 2 * between, 1), 0.0)


def sample_aggregate_posterior(means: Codes, log_variance: Codes | None, seed: int) -> Codes:
    """One sample of each image's posterior; the codes themselves for a model without posterior."""
    if log_variance is None:
        return means
    noise = np.random.default_rng(seed).standard_normal(means.shape).astype(np.float32)
    return (means + np.exp(log_variance / 2) * noise).astype(np.float32)
