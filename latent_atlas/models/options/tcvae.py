"""Options of the β-TCVAE."""

from __future__ import annotations

from latent_atlas.config.section import Options, Positive


class TCVAEOptions(Options):
    """Options of the β-TCVAE.

    Attributes:
        images: N of the estimate of q(z), the number of training images that the latents are
            averaged over (Chen et al. 2018, section 3.1).
    """

    images: Positive = 10_000
