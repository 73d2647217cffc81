"""Options of ACAI."""

from __future__ import annotations

from latent_atlas.config.section import NonNegative, Options, Positive, Share


class ACAIOptions(Options):
    """Options of ACAI, the adversarially constrained autoencoder interpolation.

    Attributes:
        interpolation: λ, weight of the critic's answer in the loss (Berthelot et al. 2019,
            section 3).
        gamma: γ, share of the image in the blends that the critic must recognise as unmixed.
        maps: feature maps of the critic's first layer.
    """

    interpolation: NonNegative = 0.5
    gamma: Share = 0.2
    maps: Positive = 32
