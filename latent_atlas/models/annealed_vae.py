"""The VAE whose latents may hold more and more: a capacity in nats that grows with the training.

The objective is reconstruction + γ · |kl − C|, with C from 0 to its end (Burgess et al. 2018,
equation 8). `kl` is the mean over images, so an image may take more nats than another. Early on
only what pays most is worth encoding, so factors are to be learnt one after the other.
"""

from __future__ import annotations

import math

from torch import Tensor

from latent_atlas.models.base import Batch, Recipe
from latent_atlas.models.sampling import SamplingVAE, of_all_processes


class AnnealedVAE(SamplingVAE):
    """A VAE that is held to a capacity; there is no β."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.gamma = float(recipe.options["gamma"])
        self.capacity = float(recipe.options["capacity"])
        self.until = float(recipe.options["until"])
        self.stairs = int(recipe.options["stairs"])

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss and its terms, an image each; ``excess`` |kl − C| is the batch's own."""
        run = self.run_through(batch)
        kl = run.kl.sum(1)
        allowed = capacity(batch.progress, self.capacity, self.until, self.stairs)
        excess = (of_all_processes(kl).mean() - allowed).abs().expand_as(kl)
        loss = self.reconstruction_weight * run.reconstruction + self.gamma * excess
        return {"loss": loss, "reconstruction": run.reconstruction, "kl": kl, "excess": excess}


def capacity(progress: float, most: float, until: float, stairs: int) -> float:
    """The nats that the latents may hold.

    Args:
        progress: share of the training that is done, from 0 to 1.
        most: nats at the end.
        until: share of the training after which C stays.
        stairs: C grows evenly for 0; otherwise it stands on so many stairs of equal width, the
            first at most/stairs from the start and the last at `most`.
    """
    share = min(1.0, progress / until) if until > 0 else 1.0
    if stairs:
        share = min(1.0, (math.floor(share * stairs) + 1) / stairs)
    return most * share
