"""Checked input of the disentanglement metrics: codes, true factors and their kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["continuous", "discrete"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MINIMUM = 100
"""With fewer images, a histogram bin or a held-out part has only a handful of them."""


@dataclass(frozen=True)
class Sample:
    """The codes of N images and their true factors. `Sample.of` checks plain arrays.

    Attributes:
        codes: N×D, posterior means.
        factors: N×K, numbers (continuous) or whole class numbers (discrete).
        kinds: the kind of each of the K factors.
        names: the names of the K factors.
    """

    codes: Floats
    factors: Floats
    kinds: tuple[Kind, ...]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        codes: npt.ArrayLike,
        factors: npt.ArrayLike,
        kinds: Sequence[Kind],
        names: Sequence[str] | None = None,
    ) -> Sample:
        """Check plain arrays and make a sample of them.

        Args:
            codes: N×D numbers, N at least `MINIMUM`.
            factors: N×K numbers, each column with two values or more.
            kinds: K times ``continuous`` or ``discrete``.
            names: of the K factors; by default their column numbers.

        Raises:
            ValueError: naming the column or row, what was found and what was expected.
        """
        code, factor = matrix(codes, "codes"), matrix(factors, "factors")
        if len(code) != len(factor):
            raise ValueError(f"found {len(code)} codes and {len(factor)} rows of factors")
        if len(kinds) != factor.shape[1]:
            raise ValueError(
                f"found {len(kinds)} kinds, expected one per factor: {factor.shape[1]}"
            )
        for column, kind in enumerate(kinds):
            _check_factor(column, kind, factor[:, column])
        names = [str(column) for column in range(len(kinds))] if names is None else names
        if len(names) != len(kinds):
            raise ValueError(f"found {len(names)} names of {len(kinds)} factors")
        return cls(code, factor, tuple(kinds), tuple(names))

    def __len__(self) -> int:
        return len(self.codes)

    def require(self, latents: int = 1, factors: int = 1) -> None:
        """Raise ValueError if there are fewer latents or factors than a metric needs."""
        for name, array, least in (
            ("codes", self.codes, latents),
            ("factors", self.factors, factors),
        ):
            if array.shape[1] < least:
                raise ValueError(
                    f"{name}: found {array.shape[1]} columns, expected at least {least}"
                )

    def take(self, rows: Ints) -> Sample:
        """The images at the positions `rows`, in that order."""
        return replace(self, codes=self.codes[rows], factors=self.factors[rows])

    def subset(self, count: int, seed: int) -> Sample:
        """At most `count` of the images, at random."""
        return self.take(self._shuffled(seed)[:count])

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
        kinds: tuple[Kind, ...] = tuple("discrete" for _ in self.kinds)
        return replace(self, factors=classes, kinds=kinds)

    def split(self, train: int, test: int, seed: int) -> tuple[Sample, Sample]:
        """Disjoint random parts of `train` and `test` images.

        With fewer images, both parts shrink and keep their proportion.

        Raises:
            ValueError: if a factor has a single value in either part, or a part has no images.
        """
        total = min(len(self), train + test)
        end = train * total // (train + test)
        if min(end, total - end) < 1:
            raise ValueError(
                f"cannot split {len(self)} images in the proportion of train {train} to test {test}"
            )
        order = self._shuffled(seed)
        parts = self.take(order[:end]), self.take(order[end:total])
        for part, name in zip(parts, ("training", "held-out"), strict=True):
            for column in np.flatnonzero(np.ptp(part.factors, axis=0) == 0):
                raise ValueError(
                    f"factors column {column}: a single value among the {len(part)} {name} "
                    "images; add images or leave this factor out"
                )
        return parts

    def _shuffled(self, seed: int) -> Ints:
        return np.random.default_rng(seed).permutation(len(self)).astype(np.int64)


def matrix(values: npt.ArrayLike, name: str) -> Floats:
    """A float64 array of finite numbers, a row for each of at least `MINIMUM` images.

    Raises:
        ValueError: naming the array with `name`, what was found and what was expected.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"{name}: found {array.ndim} dimensions, expected N rows and columns")
    if array.shape[1] < 1:
        raise ValueError(f"{name}: found 0 columns, expected at least 1")
    if len(array) < MINIMUM:
        raise ValueError(f"{name}: found {len(array)} images, expected at least {MINIMUM}")
    for row, column in np.argwhere(~np.isfinite(array)):
        raise ValueError(f"{name}: found {array[row, column]} in row {row}, column {column}")
    return array


def _check_factor(column: int, kind: str, values: Floats) -> None:
    if kind not in get_args(Kind):
        raise ValueError(f"kinds[{column}]: found {kind!r}, expected continuous or discrete")
    if np.ptp(values) == 0:
        raise ValueError(
            f"factors column {column}: a single value ({values[0]:g}); leave this factor out"
        )
    if kind == "discrete" and not np.array_equal(values, np.round(values)):
        raise ValueError(
            f"factors column {column}: declared discrete, but not all values are whole numbers"
        )


def bin_numbers(values: Floats, bins: int) -> Ints:
    """For each of `values` the number, from 0, of its interval out of `bins` in [min, max]."""
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
    """The mean over factors (columns) of the best less the second-best latent (rows)."""
    ordered = np.sort(scores, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))
