"""Pairs of images to interpolate between: random, closest and farthest ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError

Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.float32]


class Pairs(NamedTuple):
    """Pairs of images, and the experiment that uses them.

    Attributes:
        experiment: ``intra`` (within a style), ``inter`` (between two styles), ``closest``,
            ``farthest`` or ``compared`` (the same pairs for every kind of curve).
        group: one style, or two.
        first, second: P positions in the codes of all validation images.
    """

    experiment: str
    group: str
    first: Rows
    second: Rows


def style_members(store: Store) -> dict[str, Rows]:
    """Style → its positions among the validation images; one style, ``all``, without labels.

    Raises:
        UserError: if a style has fewer than two validation images.
    """
    valid = store.rows("valid")
    labels = store.labels()[valid]
    names = store.classes or ["all"]
    members = {
        name: np.flatnonzero(labels == number) if store.classes else np.arange(len(valid))
        for number, name in enumerate(names)
    }
    few = [name for name, positions in members.items() if len(positions) < 2]
    if few:
        raise UserError(
            f"data {store.name}: found {len(members[few[0]])} validation images of {few[0]!r}, "
            "expected at least 2 for a pair; leave this class out (`classes` of the data set), or "
            "raise its `valid_share`"
        )
    return members


def compared_pairs(store: Store, count: int, seed: int) -> Pairs:
    """Random pairs of any validation images, for the comparison of the kinds of curves."""
    positions = np.arange(len(store.rows("valid")))
    return Pairs("compared", "any", *_draw_within(positions, count, [seed, 0]))


def random_pairs(members: dict[str, Rows], count: int, seed: int) -> Iterator[Pairs]:
    """At most `count` pairs of each style and of each two styles; they depend on no model."""
    for number, (name, rows) in enumerate(members.items()):
        yield Pairs("intra", name, *_draw_within(rows, count, [seed, 1, number]))
    for number, (a, b) in enumerate(combinations(members, 2)):
        pairs = _draw_between(members[a], members[b], count, [seed, 2, number])
        yield Pairs("inter", f"{a} – {b}", *pairs)


def extreme_pairs(members: dict[str, Rows], codes: Codes) -> Iterator[Pairs]:
    """The closest and farthest pair of each style, and the closest of each two, by codes."""
    for name, rows in members.items():
        distances = cdist(codes[rows], codes[rows])
        # An image is never paired with itself, even where all codes are equal.
        np.fill_diagonal(distances, -np.inf)
        first, second = np.unravel_index(distances.argmax(), distances.shape)
        yield Pairs("farthest", name, rows[[first]], rows[[second]])
        np.fill_diagonal(distances, np.inf)
        first, second = np.unravel_index(distances.argmin(), distances.shape)
        yield Pairs("closest", name, rows[[first]], rows[[second]])
    for a, b in combinations(members, 2):
        distances = cdist(codes[members[a]], codes[members[b]])
        first, second = np.unravel_index(distances.argmin(), distances.shape)
        yield Pairs("closest", f"{a} – {b}", members[a][[first]], members[b][[second]])


def _draw_within(rows: Rows, count: int, seed: list[int]) -> tuple[Rows, Rows]:
    """Pairs of different images of `rows`; no ordered pair comes twice."""
    others = len(rows) - 1
    numbers = _draw_numbers(len(rows) * others, count, seed)
    first, second = numbers // others, numbers % others
    return rows[first], rows[second + (second >= first)]


def _draw_between(first: Rows, second: Rows, count: int, seed: list[int]) -> tuple[Rows, Rows]:
    numbers = _draw_numbers(len(first) * len(second), count, seed)
    return first[numbers // len(second)], second[numbers % len(second)]


def _draw_numbers(possible: int, count: int, seed: list[int]) -> Rows:
    return np.random.default_rng(seed).choice(possible, min(count, possible), replace=False)
