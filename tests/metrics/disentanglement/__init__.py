"""Tests of the disentanglement metrics, and codes that they share."""

from __future__ import annotations

import numpy as np

from latent_atlas.metrics.disentanglement.sample import Floats, Kind

DISCRETE: list[Kind] = ["discrete", "discrete"]


def joint_values(counts: list[list[int]]) -> tuple[Floats, Floats]:
    """A latent and a factor with these counts of their joint values."""
    table = np.array(counts)
    latent, factor = np.indices(table.shape)
    return np.repeat(latent.ravel(), table.ravel()), np.repeat(factor.ravel(), table.ravel())
