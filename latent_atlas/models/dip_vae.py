"""The DIP-VAEs: VAEs with a penalty that pulls the covariance of the latents to the identity.

The objective is reconstruction + kl + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)², where C is

- I: the covariance of the posteriors' means over images (Kumar et al. 2018, equation 6);
- II: the covariance of q(z), which adds the mean variance of the posteriors (equation 7).

Both are estimated from a batch. Uncorrelated latents need not be independent: every rotation of two
factors of equal variance has the same penalty.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.dip_vae import DIPVAE1Options
from latent_atlas.models.sampling import Pass, SamplingVAE, of_all_processes


class DIPVAE1(SamplingVAE):
    """A VAE with a penalty on the covariance of the posteriors' means."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        options = DIPVAE1Options.of(config.options)
        self.off_diagonal, self.diagonal = options.off_diagonal, options.diagonal

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss and its three terms, per image; ``penalty`` is the same for all of a batch."""
        run = self.run_through(batch)
        kl = run.kl.sum(1)
        penalty = self.penalty(self.covariance(run)).expand_as(kl)
        loss = self.reconstruction_weight * run.reconstruction + kl + penalty
        return {"loss": loss, "reconstruction": run.reconstruction, "kl": kl, "penalty": penalty}

    def covariance(self, run: Pass) -> Tensor:
        """The penalised covariance matrix, latent_dim×latent_dim."""
        return covariance(of_all_processes(run.mean))

    def penalty(self, matrix: Tensor) -> Tensor:
        """The weighted squared distance of a covariance matrix from the identity, a scalar."""
        diagonal = matrix.diagonal()
        others = matrix.square().sum() - diagonal.square().sum()
        return self.off_diagonal * others + self.diagonal * (diagonal - 1).square().sum()


class DIPVAE2(DIPVAE1):
    """A VAE with a penalty on the covariance of its codes."""

    def covariance(self, run: Pass) -> Tensor:
        """The covariance of the codes, latent_dim×latent_dim, with their noise in closed form."""
        variance = of_all_processes(run.log_variance).exp().mean(0)
        return covariance(of_all_processes(run.mean)) + torch.diag(variance)


def covariance(rows: Tensor) -> Tensor:
    """The covariance of the columns of B×D float32 `rows`, normalised by B: D×D, float32."""
    centred = rows - rows.mean(0)
    with torch.autocast(rows.device.type, enabled=False):  # a product in bfloat16 has two digits
        return centred.T @ centred / len(rows)
