"""Where traversals go: along a latent, the others held still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latent_atlas.data.store import Store
from latent_atlas.training.checkpoint import Codes, TrainedRun


@dataclass(frozen=True)
class Frame:
    """The middle of the codes and the unit of each latent, D float32 numbers each.

    Attributes:
        rest: what the other latents are, in words.
        suffix: of a number of units.
    """

    centre: Codes
    unit: Codes
    rest: str
    suffix: str

    def codes(self, latents: Sequence[int], values: npt.NDArray[np.float64]) -> Codes:
        """A row a latent (numbered from 1), a column a value in units: rows×columns×D."""
        found = np.tile(self.centre, (len(latents), len(values), 1))
        for row, latent in enumerate(latents):
            found[row, :, latent - 1] += values.astype(np.float32) * self.unit[latent - 1]
        return found

    def labels(self, values: npt.NDArray[np.float64]) -> list[str]:
        """One for each value."""
        return [f"{value:+.3g}{self.suffix}" for value in values]


def frame(trained: TrainedRun, store: Store) -> Frame:
    """The prior's 0 and 1; the mean and deviation of the codes of validation images at β = 0.

    Without a price nothing holds the codes to the prior: theirs may deviate by 40, and ±3 around 0
    is then a single place outside of them.
    """
    size = trained.run.latent_dim
    if trained.run.beta > 0:
        return Frame(np.zeros(size, np.float32), np.ones(size, np.float32), "0", "")
    codes = trained.encode(store.images[store.rows("valid")]).astype(np.float64)
    centre, unit = codes.mean(0).astype(np.float32), codes.std(0).astype(np.float32)
    return Frame(centre, unit, "at the codes' mean", " sd")
