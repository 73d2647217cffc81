"""The annealed VAE: a VAE whose KL follows a capacity in nats that grows during the training.

The objective is reconstruction + γ · |kl − C|, where C grows from 0 to its final value (Burgess et
al. 2018, equation 8). `kl` is the mean over images, so images may differ in their KL. The authors
expect factors to be learnt one after the other, the most useful first.
"""

from __future__ import annotations

import math

from torch import Tensor

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.annealed_vae import AnnealedVAEOptions
from latent_atlas.models.sampling import SamplingVAE, of_all_processes


class AnnealedVAE(SamplingVAE):
    """A VAE with a target capacity in place of β."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        options = AnnealedVAEOptions.of(config.options)
        self.gamma, self.capacity = options.gamma, options.capacity
        self.until, self.stairs = options.until, options.stairs

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss and its terms, per image; ``excess``, |kl − C|, is one number per batch."""
        run = self.run_through(batch)
        kl = run.kl.sum(1)
        allowed = capacity(batch.progress, self.capacity, self.until, self.stairs)
        excess = (of_all_processes(kl).mean() - allowed).abs().expand_as(kl)
        loss = self.reconstruction_weight * run.reconstruction + self.gamma * excess
        return {"loss": loss, "reconstruction": run.reconstruction, "kl": kl, "excess": excess}


def capacity(progress: float, most: float, until: float, stairs: int) -> float:
    """The capacity C in nats.

    Args:
        progress: share of the training that is done, from 0 to 1.
        most: nats at the end.
        until: share of the training after which C is constant.
        stairs: number of equal steps in which C grows, from most/stairs at the start to `most`; 0
            for linear growth.
    """
    share = min(1.0, progress / until) if until > 0 else 1.0
    if stairs:
        share = min(1.0, (math.floor(share * stairs) + 1) / stairs)
    return most * share
