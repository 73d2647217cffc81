"""Curvature of the style loss along a curve: horseshoe or wave (Rich 2021, chapter 7)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from latent_atlas.analysis.interpolation.curves import Numbers


class Curvature(NamedTuple):
    """The curvature of a mean profile in its middle, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def shape(self) -> str:
        """``horseshoe``, ``wave`` or ``undecided``, by the interval.

        A horseshoe is highest in the middle. A wave is lowest between two maxima or two ends.
        """
        if self.high < 0:
            return "horseshoe"
        return "wave" if self.low > 0 else "undecided"


def curvatures(profiles: Numbers) -> Numbers:
    """The second derivative in the middle of each profile, divided by the profile's mean.

    A profile is N values at equal distances over u in [−1, 1], e.g. the style loss of each step. A
    polynomial of degree four (two, for fewer than five values) is fitted by least squares: a
    parabola has one maximum, but a wave has two. The horseshoe 1 − a·u² has −2 a / (1 − a/3) as N
    grows.

    Args:
        profiles: P×N, N ≥ 3.

    Returns:
        P numbers; NaN for a profile with mean 0.
    """
    u = np.linspace(-1, 1, profiles.shape[1])
    degree = 4 if len(u) >= 5 else 2
    solve = np.linalg.pinv(np.vander(u, degree + 1, increasing=True))
    means = profiles.mean(1)
    second = 2 * profiles @ solve[2]
    quotients: Numbers = np.divide(
        second, means, out=np.full(len(profiles), np.nan), where=means != 0
    )
    return quotients


def mean_curvature(profiles: Numbers, seed: int, draws: int = 1000) -> Curvature:
    """`curvatures` of the mean of P×N profiles, with an interval by bootstrap over profiles.

    NaN, and thus undecided, where all profiles are 0: the codes have collapsed.
    """
    if not profiles.any():
        return Curvature(np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    weights = random.multinomial(len(profiles), np.full(len(profiles), 1 / len(profiles)), draws)
    low, high = np.nanpercentile(curvatures(weights @ profiles), [2.5, 97.5])
    return Curvature(float(curvatures(profiles.mean(0)[None])[0]), float(low), float(high))
