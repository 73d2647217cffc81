"""Interface of drawn data sets: factors from a seed, and pictures from factors.

All modules of this package use additions, multiplications, divisions, square roots and comparisons
alone. IEEE 754 rounds these exactly, so the pictures have the same bytes on every machine, whatever
vector instructions numpy uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Float = npt.NDArray[np.floating[Any]]  # float32 throughout
Bytes = npt.NDArray[np.uint8]
Columns = dict[str, npt.NDArray[np.generic]]

# Pixels drawn at a time: planes of a megabyte outweigh numpy's overhead and fit in cache.
BLOCK_PIXELS = 1 << 18


def _all_legal(factors: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return np.ones(len(factors), np.bool_)


@dataclass(frozen=True)
class Drawing:
    """A data set of drawn images.

    Attributes:
        name: its name, as in ``source: drawn:<name>``.
        label: the factor used as class label, or None where no factor is one.
        description: the factors with their units and ranges.
        ranges: continuous factors, each with the lowest and highest value that is drawn.
        values: categorical factors, each with its values.
        sample: ``(count, seed)`` to one array of length `count` for each factor.
        paint: ``(factors, height, width)`` to uint8 pictures, B×H×W×3.
        kind: the factor, if any, whose values `paint` draws in different ways; it is then called
            with rows of one value at a time.
        legal: which rows of factors, each of known value, can be drawn.
    """

    name: str
    label: str | None
    description: str
    ranges: Mapping[str, tuple[float, float]]
    values: Mapping[str, tuple[str, ...]]
    sample: Callable[[int, int], Columns]
    paint: Callable[[pd.DataFrame, int, int], Bytes]
    kind: str | None = None
    legal: Callable[[pd.DataFrame], npt.NDArray[np.bool_]] = _all_legal

    def factors(self, count: int, seed: int) -> pd.DataFrame:
        """Draw the factors of `count` images, one row per image.

        Row i depends on `seed` and i only: a larger `count` adds rows and changes none.

        Raises:
            ValueError: `count` or `seed` is negative.
        """
        if count < 0 or seed < 0:
            raise ValueError(f"{self.name}: count {count} and seed {seed} must not be negative")
        frame: pd.DataFrame = pd.DataFrame(self.sample(count, seed))
        return frame

    def render(self, factors: pd.DataFrame, height: int, width: int) -> Bytes:
        """Draw one picture for each row of `factors`.

        A picture is a pure function of its row: an edited factor gives the true counterfactual,
        and other rows have no influence. Values outside `ranges` are drawn as given.

        Returns:
            uint8, B×height×width×3, values 0 to 255.

        Raises:
            ValueError: a factor is missing, not finite or of unknown value, or a side is not
                positive.
        """
        if height < 1 or width < 1:
            raise ValueError(f"{self.name}: sides {height}×{width} must be at least 1 pixel")
        self._check(factors)
        pictures = np.empty((len(factors), height, width, 3), np.uint8)
        step = max(1, BLOCK_PIXELS // (height * width))
        for rows in self._kinds(factors):
            for start in range(0, len(rows), step):
                block = rows[start : start + step]
                pictures[block] = self.paint(factors.iloc[block], height, width)
        return pictures

    def _kinds(self, factors: pd.DataFrame) -> list[npt.NDArray[np.intp]]:
        if self.kind is None:
            return [np.arange(len(factors))]
        column = factors[self.kind].to_numpy()
        return [np.flatnonzero(column == value) for value in self.values[self.kind]]

    def _check(self, factors: pd.DataFrame) -> None:
        for name in (*self.values, *self.ranges):
            if name not in factors:
                raise ValueError(f"{self.name}: factor {name} is missing")
        for name, known in self.values.items():
            unknown = ~factors[name].isin(known).to_numpy()
            if unknown.any():
                row = int(unknown.argmax())
                raise ValueError(
                    f"{self.name}: row {row}: {name} is {factors[name].iloc[row]!r}, "
                    f"expected one of {', '.join(known)}"
                )
        for name in self.ranges:
            broken = ~np.isfinite(factors[name].to_numpy(np.float64))
            if broken.any():
                row = int(broken.argmax())
                raise ValueError(f"{self.name}: row {row}: {name} is not a finite number")


def uniform(
    stream: str, count: int, seed: int, low: float = 0.0, high: float = 1.0
) -> npt.NDArray[np.float64]:
    """Draw `count` numbers from U(`low`, `high`).

    Every `stream` name has a generator of its own, so a factor's values depend neither on the
    other factors nor on the number of rows.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=tuple(stream.encode()))
    return low + (high - low) * np.random.default_rng(sequence).random(count)


def uniforms(
    name: str, ranges: Mapping[str, tuple[float, float]], count: int, seed: int
) -> Columns:
    """Draw every factor in `ranges` of the drawing `name`, independently and evenly."""
    return {key: uniform(f"{name}.{key}", count, seed, *span) for key, span in ranges.items()}


def choice(stream: str, count: int, seed: int, values: Sequence[str]) -> npt.NDArray[np.str_]:
    """Draw `count` of `values`, each equally often."""
    picked = np.floor(uniform(stream, count, seed, 0.0, len(values))).astype(np.int64)
    return np.asarray(values, dtype=np.str_)[picked]
