"""Whether sets of codes have the same distribution: as the prior, or as each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import false_discovery_control, normaltest

from latent_atlas.analysis.latent_space.spread import Codes, Floats

FEWEST = 20
"""Codes below which the test of normality says nothing."""


@dataclass(frozen=True)
class Difference:
    """The energy distance between two sets of codes.

    Attributes:
        distance: 0 for the same distribution, 1 for two different points.
        low, high: an interval of 95 %, from bootstrap samples of each set.
        p: share of random divisions of the codes, the given one included, that differ as much.
    """

    distance: float
    low: float
    high: float
    p: float


def rejected_latents(codes: Codes, level: float = 0.05) -> float:
    """Share of latents that are not normal, whatever their mean and variance.

    D'Agostino & Pearson 1973, on skewness and kurtosis; at most `level` of the rejected ones are
    expected to be mistakes (Benjamini & Hochberg 1995). A latent that does not vary is rejected.

    Raises:
        ValueError: for fewer than `FEWEST` codes.
    """
    if len(codes) < FEWEST:
        raise ValueError(f"found {len(codes)} codes, expected at least {FEWEST}")
    values = codes.astype(np.float64)
    constant = np.ptp(values, axis=0) == 0
    p = np.zeros(values.shape[1])
    if not constant.all():
        p[~constant] = normaltest(values[:, ~constant], axis=0).pvalue
    return float((false_discovery_control(p) <= level).mean())


def energy_distance(first: Codes, second: Codes, draws: int, seed: int) -> Difference:
    """The energy distance E of two sets, as a share of 2·E|x − y|.

    E = 2 E|x − y| − E|x − x′| − E|y − y′| (Székely & Rizzo 2013), over all pairs with the pair of
    a code and itself, which keeps it from falling below 0; the share H = E / 2 E|x − y| lies
    between 0 and 1. Two samples of the same distribution have a distance above 0 that shrinks with
    their size: the p of the permutation test, and not the distance alone, says if it is more.
    The interval is of bootstrap samples, moved to the estimate, since those are all farther apart.

    Args:
        first, second: N×D and M×D codes.
        draws: permutations, and bootstrap samples.
        seed: of both.
    """
    together = np.concatenate([first, second]).astype(np.float64)
    distances = cdist(together, together)
    sizes = len(first), len(second)
    # A row of `weights` is a division: how often each code is drawn into the first, the second.
    random = np.random.default_rng(seed)
    given = np.zeros((1, len(together)))
    given[0, : sizes[0]] = 1
    divided = np.stack([random.permutation(given[0]) for _ in range(draws)])
    estimate = _shares(distances, given, 1 - given)[0]
    permuted = _shares(distances, divided, 1 - divided)
    drawn: list[Floats] = [np.zeros((draws, len(together))) for _ in sizes]
    starts = 0, sizes[0]
    for part, start, size in zip(drawn, starts, sizes, strict=True):
        part[:, start : start + size] = random.multinomial(size, np.full(size, 1 / size), draws)
    resampled = _shares(distances, *drawn)
    low, high = np.quantile(resampled, [0.025, 0.975]) + estimate - resampled.mean()
    p = (1 + (permuted >= estimate - 1e-12).sum()) / (1 + draws)
    return Difference(float(estimate), float(max(low, 0)), float(high), float(p))


def _shares(distances: Floats, first: Floats, second: Floats) -> Floats:
    """H of each row of weights, K×(N+M) of the first and of the second set."""
    first = first / first.sum(1, keepdims=True)
    second = second / second.sum(1, keepdims=True)
    to_first, to_second = first @ distances, second @ distances
    between = (to_first * second).sum(1)
    within = (to_first * first).sum(1) + (to_second * second).sum(1)
    return np.where(between > 0, 1 - within / np.where(between > 0, 2 * between, 1), 0.0)


def aggregate(means: Codes, log_variance: Codes | None, seed: int) -> Codes:
    """A sample of the aggregate posterior: one of each image's posterior; the codes if points."""
    if log_variance is None:
        return means
    noise = np.random.default_rng(seed).standard_normal(means.shape).astype(np.float32)
    return (means + np.exp(log_variance / 2) * noise).astype(np.float32)
