"""The adversarially constrained autoencoder interpolation (ACAI): a critic of decoded mixtures.

Source: Berthelot et al. 2019, "Understanding and improving interpolation in autoencoders via an
adversarial regularizer", section 3. With α between 0 and ½ and codes z₁, z₂ of two images, the
critic d learns to estimate α from the decoded mixture x̂ = g(α z₁ + (1 − α) z₂), and 0 from images
blended with their own reconstruction. The autoencoder learns to make the critic's estimate 0, the
value of an image that is no mixture:

    critic:      (d(x̂) − α)² + d(γ x + (1 − γ) g(f(x)))²
    autoencoder: mean (x − g(f(x)))² + λ d(x̂)²

The mean is over pixels. Here ``reconstruction`` is summed over pixels, as in every model, and
``loss`` is that objective times half the number of pixels: the minimum is the same and, for Adam,
the steps are the same.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.ae import AE
from latent_atlas.models.base import Batch, ModelConfig, Phase, Shape
from latent_atlas.models.options.acai import ACAIOptions
from latent_atlas.models.sampling import of_all_processes, own_rows


class ACAI(AE):
    """An autoencoder with a critic of decoded mixtures of two codes.

    Its options are `ACAIOptions`.
    """

    compares = True

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.noise_dim = 1
        pixels = config.shape[0] * config.shape[1] * config.shape[2]
        options = ACAIOptions.of(config.options)
        self.weight = pixels / 2 * options.interpolation
        self.gamma = options.gamma
        self.critic = MixtureCritic(config.shape, options.maps)

    def phases(self) -> dict[str, Phase]:
        """The autoencoder, then the critic."""
        return {
            "autoencoder": Phase(("encoder", "decoder")),
            "criticism": Phase(("critic",), "critic_loss"),
        }

    def forward(self, batch: Batch, phase: str = "autoencoder") -> dict[str, Tensor]:
        """The terms of a phase.

        ``autoencoder``: ``loss``, ``reconstruction``, and ``mixture``, the square of the critic's
        estimate for the mixture. ``criticism``: ``critic_loss``, and ``alpha_error``, the absolute
        error of the critic's estimate of α; 0.125 on average for a constant ¼.
        """
        shares = alphas(batch.noise[:, 0])
        if phase == "autoencoder":
            codes = self.encode(batch.images)
            outputs = self.decoder(torch.cat([codes, blend(codes, shares)])).float()
            reconstructed, mixed = outputs.chunk(2)
            reconstruction = self.likelihood.loss(reconstructed, batch.images)
            mixture = self._estimate(self.likelihood.mean(mixed)).square()
            loss = self.reconstruction_weight * reconstruction + self.weight * mixture
            return {"loss": loss, "reconstruction": reconstruction, "mixture": mixture}
        with torch.no_grad():
            codes = self.encode(batch.images)
            own, mixed = self.decode(torch.cat([codes, blend(codes, shares)])).chunk(2)
            real = self.gamma * batch.images + (1 - self.gamma) * own
        of_mixed, of_real = self._estimate(torch.cat([mixed, real])).chunk(2)
        return {
            "critic_loss": (of_mixed - shares).square() + of_real.square(),
            "alpha_error": (of_mixed - shares).abs().detach(),
        }

    def _estimate(self, images: Tensor) -> Tensor:
        """The critic's B estimates of α."""
        shares: Tensor = self.critic(images)
        return shares.float()


def alphas(noise: Tensor) -> Tensor:
    """α, uniform between 0 and ½, of standard normal numbers."""
    return 0.25 * (1 + torch.erf(noise / math.sqrt(2)))


def blend(codes: Tensor, shares: Tensor) -> Tensor:
    """α zᵢ + (1 − α) zᵢ₋₁ of B×D codes and B shares α: each with the one before it in the batch.

    The one before it may be in another process.
    """
    before = of_all_processes(codes).roll(1, 0)[own_rows()]
    return torch.lerp(before, codes, shares[:, None])


class MixtureCritic(nn.Module):
    """3×3 convolutions of stride 2 with leaky ReLU; the output is the mean of the last maps.

    As in the authors' code, the critic is built like the encoder, without a last linear layer.

    Args:
        shape: of the images.
        maps: of the first layer; the others have twice and four times as many.
    """

    def __init__(self, shape: Shape, maps: int = 32) -> None:
        super().__init__()
        widths = (shape[2], maps, 2 * maps, 4 * maps, 4 * maps)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 3, stride=2, padding=1) for inner, outer in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 16, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W images to B estimates of α."""
        for convolution in self.convolutions:
            images = F.leaky_relu(convolution(images), 0.2)
        estimates: Tensor = self.last(images)
        return estimates.mean((1, 2, 3))
