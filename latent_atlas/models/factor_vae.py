"""The FactorVAE: a VAE with a weight γ on the total correlation, which a discriminator estimates.

The objective is reconstruction + kl + γ · total correlation (Kim & Mnih 2018, equation 2). The
total correlation compares q(z) with Π_j q(z_j). A sample of the latter is a batch of codes with
each latent shuffled among the images independently (algorithm 1). A discriminator is trained to
separate the two. Its logit then estimates the logarithm of the density ratio, and the mean logit of
the codes estimates the total correlation (equation 3), with a bias until the discriminator has
converged.

Here a step uses one batch for both updates, where the paper uses two. The discriminator has one
logit in place of two, of which only the difference matters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.base import Batch, ModelConfig, Phase
from latent_atlas.models.options.factor_vae import FactorVAEOptions
from latent_atlas.models.sampling import SamplingVAE, of_all_processes, own_rows


class FactorVAE(SamplingVAE):
    """A VAE and a discriminator; a step updates the VAE, then the discriminator.

    The first half of the noise samples the codes; the second half decides how latents are shuffled.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.noise_dim = 2 * config.latent_dim
        options = FactorVAEOptions.of(config.options)
        self.gamma = options.gamma
        self.discriminator = Discriminator(config.latent_dim, options.units, options.layers)

    def phases(self) -> dict[str, Phase]:
        """The VAE, then the discriminator with the paper's β₁ and β₂ of Adam."""
        return {
            "model": Phase(("encoder", "decoder")),
            "discriminator": Phase(("discriminator",), "discriminator_loss", (0.5, 0.9)),
        }

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The terms of a phase, per image.

        ``model``: ``loss``, ``reconstruction``, ``kl``, ``total_correlation``.
        ``discriminator``: ``discriminator_loss``, and ``discriminator_accuracy``, the share of
        codes and shuffled codes that it classifies correctly; ½ by chance.
        """
        if phase == "discriminator":
            return self._discriminator_losses(batch)
        run = self.run_through(batch)
        kl, correlation = run.kl.sum(1), self.discriminator(run.codes)
        loss = self.reconstruction_weight * run.reconstruction + kl + self.gamma * correlation
        return {
            "loss": loss,
            "reconstruction": run.reconstruction,
            "kl": kl,
            "total_correlation": correlation,
        }

    def _discriminator_losses(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            codes = self.sample(batch)[2]
            keys = of_all_processes(batch.noise[:, self.latent_dim :])
            shuffled = shuffle(of_all_processes(codes), keys)[own_rows()]
        together, apart = self.discriminator(codes), self.discriminator(shuffled)
        return {
            "discriminator_loss": (F.softplus(-together) + F.softplus(apart)) / 2,
            "discriminator_accuracy": ((together > 0).float() + (apart < 0).float()) / 2,
        }


class Discriminator(nn.Module):
    """Linear layers with leaky ReLU of slope 0.2, then one logit (Kim & Mnih 2018, appendix A)."""

    def __init__(self, latent_dim: int, units: int, layers: int) -> None:
        super().__init__()
        widths = (latent_dim, *[units] * layers)
        self.layers = nn.ModuleList(nn.Linear(inner, outer) for inner, outer in pairwise(widths))
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B float32 logits of not being shuffled."""
        for layer in self.layers:
            codes = F.leaky_relu(layer(codes), 0.2)
        logits: Tensor = self.last(codes)
        return logits.squeeze(1).float()


def shuffle(codes: Tensor, keys: Tensor) -> Tensor:
    """Each latent of B×D `codes` in the order of its own column of B×D `keys`."""
    return codes.gather(0, keys.argsort(0))
