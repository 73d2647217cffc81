"""The β-TCVAE: a VAE with a weight β on the total correlation of the latents.

The KL of a VAE, averaged over images, has three parts,

    KL(q(z|x) ‖ p(z)) = I(z; x) + KL(q(z) ‖ Π_j q(z_j)) + Σ_j KL(q(z_j) ‖ p(z_j))
                        information  total correlation      dimension-wise KL

(Chen et al. 2018, equation 2), and the objective is reconstruction + information + β · total
correlation + dimension-wise KL (equation 4 with α = γ = 1). With the KL in closed form, that is
reconstruction + KL + (β − 1) · total correlation: the same in expectation, with less noise.

q(z) averages the posteriors of all N training images. `log_weights` estimates it from a batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from latent_atlas.models.base import Batch, ModelConfig
from latent_atlas.models.options.tcvae import TCVAEOptions
from latent_atlas.models.sampling import SamplingVAE, of_all_processes, own_rows


class Parts(NamedTuple):
    """The estimated parts of the KL, B nats each; their sum is log q(z|x) − log p(z)."""

    information: Tensor
    total_correlation: Tensor
    dimension_kl: Tensor


class TCVAE(SamplingVAE):
    """A VAE with a weight on the total correlation."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.images = TCVAEOptions.of(config.options).images

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss, reconstruction, KL, and the three parts of the KL, per image.

        The parts are estimates from this batch, and depend on its size.
        """
        run = self.run_through(batch)
        kl = run.kl.sum(1)
        parts = decompose(run.codes, run.mean, run.log_variance, batch.noise, self.images)
        loss = self.reconstruction_weight * run.reconstruction + kl
        loss = loss + (self.beta - 1) * parts.total_correlation
        return {"loss": loss, "reconstruction": run.reconstruction, "kl": kl, **parts._asdict()}


def decompose(
    codes: Tensor, mean: Tensor, log_variance: Tensor, noise: Tensor, images: int
) -> Parts:
    """Estimate the parts of the KL for the codes of a batch.

    Args:
        codes: B×D samples of the posteriors, mean + deviation · noise.
        mean, log_variance: of the posteriors, B×D each.
        noise: B×D.
        images: N, the number of training images; taken as at least the size of the batch.
    """
    means, log_variances = of_all_processes(mean), of_all_processes(log_variance)
    densities = log_normal(codes[:, None], means[None], log_variances[None])
    weights = log_weights(len(means), images)[own_rows()].to(densities)
    joint = torch.logsumexp(weights + densities.sum(2), 1)
    single = torch.logsumexp(weights[..., None] + densities, 1).sum(1)
    given = -(math.log(2 * math.pi) + log_variance + noise.square()).sum(1) / 2
    prior = -(math.log(2 * math.pi) + codes.square()).sum(1) / 2
    return Parts(given - joint, joint - single, single - prior)


def log_weights(batch: int, images: int) -> Tensor:
    """Logarithms of the weights of the j-th posterior in the estimate of q(z_i), batch×batch.

    Minibatch stratified sampling (Chen et al. 2018, appendix C.2). The posterior that z_i was
    sampled from is one of N, so its weight, on the diagonal, is 1/N. The rest of the batch stands
    for all others and shares (N − 1)/N evenly. The authors give one of the rest a slightly smaller
    weight; this is the mean over the choice of that one. The rows sum to 1, and the mean over all
    batches is q(z).
    """
    images = max(images, batch)
    own = -math.log(images)
    if batch == 1:
        return torch.zeros(1, 1)
    others = math.log((images - 1) / (images * (batch - 1)))
    return torch.full((batch, batch), others).fill_diagonal_(own)


def log_normal(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """The logarithm of the density of N(mean, exp(log_variance)) at `values`, element-wise."""
    squares = (values - mean).square() * torch.exp(-log_variance)
    return -(math.log(2 * math.pi) + log_variance + squares) / 2
