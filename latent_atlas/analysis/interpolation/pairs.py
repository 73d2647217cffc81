"""Which images are joined: pairs within a style, of two styles, the closest and the farthest."""

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
    """Images to be joined, and what for.

    Attributes:
        experiment: ``intra``, ``inter``, ``closest``, ``farthest`` or ``compared``.
        group: a style, or two.
        first, second: P positions in the codes of all validation images.
    """

    experiment: str
    group: str
    first: Rows
    second: Rows


def styles(store: Store) -> dict[str, Rows]:
    """Positions of each style among the validation images; one style, ``all``, without labels.

    Raises:
        UserError: if there are too few images for a pair.
    """
    valid = store.rows("valid")
    labels = store.labels()[valid]
    names = store.classes or ["all"]
    found = {
        name: np.flatnonzero(labels == number) if store.classes else np.arange(len(valid))
        for number, name in enumerate(names)
    }
    few = [name for name, members in found.items() if len(members) < 2]
    if few:
        raise UserError(
            f"data {store.name}: {len(found[few[0]])} validation images of {few[0]!r}, expected "
            f"at least 2 to join; set data.{store.name}.classes to those with more, or raise "
            "valid_share"
        )
    return found


def compared(store: Store, count: int, seed: int) -> Pairs:
    """The pairs that every kind of path joins: any validation images."""
    return Pairs("compared", "any", *_within(np.arange(len(store.rows("valid"))), count, [seed, 0]))


def random_pairs(members: dict[str, Rows], count: int, seed: int) -> Iterator[Pairs]:
    """At most `count` pairs of each style, and of each two; the same whatever the model."""
    for number, (name, rows) in enumerate(members.items()):
        yield Pairs("intra", name, *_within(rows, count, [seed, 1, number]))
    for number, (a, b) in enumerate(combinations(members, 2)):
        yield Pairs(
            "inter", f"{a} – {b}", *_between(members[a], members[b], count, [seed, 2, number])
        )


def extreme_pairs(members: dict[str, Rows], codes: Codes) -> Iterator[Pairs]:
    """The closest and the farthest pair of each style, and the closest of each two, by codes."""
    for name, rows in members.items():
        apart = cdist(codes[rows], codes[rows])
        np.fill_diagonal(apart, -np.inf)  # no image with itself, also where all codes are the same
        first, second = np.unravel_index(apart.argmax(), apart.shape)
        yield Pairs("farthest", name, rows[[first]], rows[[second]])
        np.fill_diagonal(apart, np.inf)
        first, second = np.unravel_index(apart.argmin(), apart.shape)
        yield Pairs("closest", name, rows[[first]], rows[[second]])
    for a, b in combinations(members, 2):
        apart = cdist(codes[members[a]], codes[members[b]])
        first, second = np.unravel_index(apart.argmin(), apart.shape)
        yield Pairs("closest", f"{a} – {b}", members[a][[first]], members[b][[second]])


def _within(rows: Rows, count: int, seed: list[int]) -> tuple[Rows, Rows]:
    """Different images of `rows`; no pair comes twice in the same order."""
    others = len(rows) - 1
    drawn = _draw(len(rows) * others, count, seed)
    first, second = drawn // others, drawn % others
    return rows[first], rows[second + (second >= first)]


def _between(one: Rows, other: Rows, count: int, seed: list[int]) -> tuple[Rows, Rows]:
    drawn = _draw(len(one) * len(other), count, seed)
    return one[drawn // len(other)], other[drawn % len(other)]


def _draw(possible: int, count: int, seed: list[int]) -> Rows:
    return np.random.default_rng(seed).choice(possible, min(count, possible), replace=False)
