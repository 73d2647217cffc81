"""The variational autoencoder and its variants that differ in β.

The loss of an image x with the posterior q(z|x) = N(μ, σ²) is

    reconstruction + β · kl,  reconstruction = −log p(x|z),  z = μ + σ·ε,  ε ~ N(0, I)
    kl = KL(q(z|x) ‖ N(0, I)) = ½ Σ_j (μ_j² + σ_j² − 1 − log σ_j²)

(Kingma & Welling 2014, equation 10; Higgins et al. 2017, equation 4). Both terms are *sums*, over
pixels and over latents: a mean over pixels would change the effective β by orders of magnitude.

- β > 1: the β-VAE; β = 1: the VAE;
- β = 0: the "AE" of the fashion VAE thesis, which samples its codes without a KL term.
"""

from __future__ import annotations

import torch
from torch import Tensor

from latent_atlas.models.base import Autoencoder, Batch, ModelConfig
from latent_atlas.models.build import new_decoder, new_encoder
from latent_atlas.models.likelihoods import LIKELIHOODS


class VAE(Autoencoder):
    """A VAE with a Gaussian posterior, a standard normal prior, and a weight β of the KL."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.latent_dim = self.noise_dim = config.latent_dim
        self.beta, self.reconstruction_weight = config.beta, config.weights["reconstruction"]
        self.kl_warm_up = config.kl_warm_up
        self.encoder = new_encoder(
            config.network, config.shape, config.latent_dim, 2, config.layers
        )
        self.decoder = new_decoder(config.network, config.shape, config.latent_dim, config.layers)
        self.likelihood = LIKELIHOODS[config.likelihood]

    def start_from(self, mean_image: Tensor) -> None:
        """Set the decoder's last bias to the mean image."""
        self.decoder.start_at(self.likelihood.inverse(mean_image))

    def forward(self, batch: Batch, phase: str = "model") -> dict[str, Tensor]:
        """The loss and its two terms, per image."""
        return self.losses(*self.posterior(batch.images), batch)

    def losses(self, mean: Tensor, log_variance: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The loss and its two terms, per image, from the posteriors of the batch."""
        codes = mean + torch.exp(log_variance / 2) * batch.noise
        reconstruction = self.likelihood.loss(self.decoder(codes), batch.images)
        kl = kl_to_standard_normal(mean, log_variance).sum(1)
        loss = self.reconstruction_weight * reconstruction + self.kl_weight(batch) * kl
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}

    def kl_weight(self, batch: Batch) -> float:
        """β, or less of it while the weight rises; validation losses always have β.

        Sønderby et al. 2016, section 2.3: with β from the first step on, latents whose use is not
        learnt at once are switched off.
        """
        rising = self.training and batch.progress < self.kl_warm_up
        return self.beta * batch.progress / self.kl_warm_up if rising else self.beta

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x), float32 B×latent_dim each."""
        mean, log_variance = self.encoder(images)
        return mean.float(), log_variance.float()

    def encode(self, images: Tensor) -> Tensor:
        """B×latent_dim posterior means."""
        return self.posterior(images)[0]

    def decode(self, codes: Tensor) -> Tensor:
        """B×C×H×W images in [0, 1]."""
        return self.likelihood.mean(self.decoder(codes).float())

    def log_variance(self, images: Tensor) -> Tensor:
        """B×latent_dim log-variances of the posterior."""
        return self.posterior(images)[1]


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, 1)) of each latent in nats, B×latent_dim, with the factor ½."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2
