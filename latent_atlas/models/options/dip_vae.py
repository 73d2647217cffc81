"""Options of the two DIP-VAEs."""

from __future__ import annotations

from latent_atlas.config.section import NonNegative, Options


class DIPVAE1Options(Options):
    """Options of the DIP-VAE-I.

    Attributes:
        off_diagonal: λ_od, weight of the squared covariances of different latents (Kumar et al.
            2018, equation 6).
        diagonal: λ_d, weight of the squared difference of each latent's variance from 1.
    """

    off_diagonal: NonNegative = 10.0
    diagonal: NonNegative = 100.0


class DIPVAE2Options(DIPVAE1Options):
    """Options of the DIP-VAE-II (equation 7), with another default of the diagonal."""

    diagonal: NonNegative = 10.0
