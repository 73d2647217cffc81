"""What every metric takes, checked: codes, true factors, and the kind of each factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["continuous", "discrete"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MINIMUM = 100
"""Fewer images than this leave a histogram bin or a held-out part with a handful of them."""


@dataclass(frozen=True)
class Sample:
    """The codes of N images and the factors that these were made from.

    Attributes:
        codes: N×D, posterior means.
        factors: N×K, numbers (continuous) or whole class numbers (discrete).
        kinds: the kind of each of the K factors.
    """

    codes: Floats
    factors: Floats
    kinds: tuple[Kind, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Ints) -> Sample:
        """The images at the positions `rows`, in that order."""
        return Sample(self.codes[rows], self.factors[rows], self.kinds)

    def classes(self, bins: int) -> Ints:
        """N×K class numbers from 0; a continuous factor is cut into `bins` equal intervals."""
        columns = [
            bin_numbers(values, bins) if kind == "continuous" else values
            for values, kind in zip(self.factors.T, self.kinds, strict=True)
        ]
        numbers = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in columns]
        return np.stack(numbers, axis=1).astype(np.int64)

    def discrete(self, bins: int) -> Sample:
        """The same images, their factors replaced by `classes`."""
        classes = self.classes(bins).astype(np.float64)
        return Sample(self.codes, classes, tuple("discrete" for _ in self.kinds))

    def split(self, train: int, test: int, seed: int) -> tuple[Sample, Sample]:
        """Disjoint random parts of `train` and `test` images.

        Where there are fewer images, both parts shrink and keep their proportion.

        Raises:
            ValueError: if a factor has a single value in either part, or a part no images.
        """
        total = min(len(self), train + test)
        end = train * total // (train + test)
        if min(end, total - end) < 1:
            raise ValueError(
                f"cannot part {len(self)} images in the proportion of train {train} to test {test}"
            )
        order = np.random.default_rng(seed).permutation(len(self)).astype(np.int64)
        parts = self.take(order[:end]), self.take(order[end:total])
        for part, name in zip(parts, ("training", "held-out"), strict=True):
            for column in np.flatnonzero(np.ptp(part.factors, axis=0) == 0):
                raise ValueError(
                    f"factors column {column}: a single value among the {len(part)} {name} "
                    "images; give more images or leave this factor out"
                )
        return parts


def check(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    latents: int = 1,
    variables: int = 1,
) -> Sample:
    """Make a `Sample` of plain arrays.

    Args:
        codes: N×D numbers, N at least `MINIMUM`.
        factors: N×K numbers, each column with two values or more.
        kinds: K times ``continuous`` or ``discrete``.
        latents: the least D with which the caller's metric is defined.
        variables: the least K with which the caller's metric is defined.

    Raises:
        ValueError: naming the column or row, what was found and what was expected.
    """
    code, factor = matrix(codes, "codes", latents), matrix(factors, "factors", variables)
    if len(code) != len(factor):
        raise ValueError(f"found {len(code)} codes and {len(factor)} rows of factors")
    if len(code) < MINIMUM:
        raise ValueError(f"found {len(code)} images, expected at least {MINIMUM}")
    if len(kinds) != factor.shape[1]:
        raise ValueError(f"found {len(kinds)} kinds, expected one a factor: {factor.shape[1]}")
    for column, kind in enumerate(kinds):
        values = factor[:, column]
        if kind not in get_args(Kind):
            raise ValueError(f"kinds[{column}]: found {kind!r}, expected continuous or discrete")
        if np.ptp(values) == 0:
            raise ValueError(
                f"factors column {column}: a single value ({values[0]:g}); leave this factor out"
            )
        if kind == "discrete" and not np.array_equal(values, np.round(values)):
            raise ValueError(f"factors column {column}: discrete, but not all whole numbers")
    return Sample(code, factor, tuple(kinds))


def matrix(values: npt.ArrayLike, name: str, columns: int = 1) -> Floats:
    """A two-dimensional float64 array of finite numbers; `name` is for the error."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name}: found {array.ndim} dimensions, expected N rows and columns")
    if array.shape[1] < columns:
        raise ValueError(f"{name}: found {array.shape[1]} columns, expected at least {columns}")
    for row, column in np.argwhere(~np.isfinite(array)):
        raise ValueError(f"{name}: found {array[row, column]} in row {row}, column {column}")
    return array


def bin_numbers(values: Floats, bins: int) -> Ints:
    """The numbers, from 0, of the `bins` equal intervals of [min, max] that hold `values`."""
    if bins < 2:
        raise ValueError(f"bins: found {bins}, expected at least 2")
    edges = np.linspace(values.min(), values.max(), bins + 1)
    return np.searchsorted(edges[1:-1], values, side="right").astype(np.int64)


def standardise(values: Floats, like: Floats) -> Floats:
    """Columns of `values` less the mean of `like`, by its deviation; constant ones become 0."""
    varies = np.ptp(like, axis=0) > 0
    deviation = np.where(varies, like.std(axis=0), 1.0)
    scaled: Floats = (values - like.mean(axis=0)) / deviation * varies
    return scaled


def mean_gap(scores: Floats) -> float:
    """Mean over factors (columns) of best less second-best latent (rows)."""
    ordered = np.sort(scores, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))
