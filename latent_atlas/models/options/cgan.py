"""Options of the conditional GAN."""

from __future__ import annotations

from latent_atlas.models.options.dcgan import DCGANOptions


class CGANOptions(DCGANOptions):
    """Options of the conditional GAN (Mirza & Osindero 2014), those of the DCGAN.

    Mirza and Osindero also take 100 numbers for a code (section 4.1).
    """
