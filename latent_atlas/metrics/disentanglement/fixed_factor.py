"""Random images with one factor fixed, for the FactorVAE and β-VAE scores.

Both scores were defined with a simulator that draws images with one factor fixed and the others at
random. Data sets are finite here, so the images with the same value of a factor replace its
simulator: equal class, or the same of `bins` equal intervals of a continuous factor. They are
drawn from that group with replacement. The fixed value is that of an image drawn uniformly,
so values occur as often as in the data. This has two consequences. A continuous factor still varies
by 1/bins of its range: more bins are stricter, but groups are smaller. And where factors are
correlated in the data, fixing one also fixes part of the others, which the simulator would not.
"""

from __future__ import annotations

import numpy as np

from latent_atlas.metrics.disentanglement.sample import Ints, Sample

BLOCK = 1000
"""Draws processed at once. It bounds memory and changes no result."""


def draw_anchors(
    sample: Sample, bins: int, draws: int, width: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """For each draw the factor to fix, and `width` images (draws×width) whose values to fix.

    An image that shares its value with no other is not drawn: its group has no variation.

    Raises:
        ValueError: for a factor of which no two images have the same value.
    """
    factor = rng.integers(len(sample.kinds), size=draws)
    chance = rng.random((draws, width))
    rows = np.empty((draws, width), dtype=np.int64)
    for column, classes in enumerate(sample.classes(bins).T):
        shared = np.flatnonzero(np.bincount(classes)[classes] > 1)
        if not len(shared):
            raise ValueError(f"factors column {column}: no two images have the same value")
        mine = factor == column
        rows[mine] = shared[(chance[mine] * len(shared)).astype(np.int64)]
    return factor, rows


def draw_partners(
    sample: Sample, bins: int, factor: Ints, rows: Ints, rng: np.random.Generator
) -> Ints:
    """For each of `rows` an image with the same value of the draw's factor, maybe itself."""
    chance = rng.random(rows.shape)
    partners = np.empty_like(rows)
    for column, classes in enumerate(sample.classes(bins).T):
        order = np.argsort(classes, kind="stable")
        size = np.bincount(classes)
        start = np.cumsum(size) - size
        mine = factor == column
        group = classes[rows[mine]]
        partners[mine] = order[start[group] + (chance[mine] * size[group]).astype(np.int64)]
    return partners


def blocks(rows: Ints) -> list[Ints]:
    """Consecutive parts of at most `BLOCK` rows."""
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
