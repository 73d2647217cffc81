"""Options of CycleGAN."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from latent_atlas.config.section import NonNegative, Positive, Share
from latent_atlas.models.options.adversarial import AdversarialOptions, Objective


class CycleGANOptions(AdversarialOptions):
    """Options of CycleGAN (Zhu et al. 2017).

    Attributes:
        objective: of all networks; least squares there (section 4). ``saturating`` is the minimax
            form of the thesis.
        cycle: λ, weight of the mean L1 distance per pixel and channel between an image and its
            translation back (there 10, section 4); 0 for none.
        identity: weight of the same distance between an image and its translation into its own
            domain, as a factor on `cycle` (there 0.5 for photographs of paintings, section 5.2, and
            in the authors' code).
        adversarial: weight of the adversarial loss of the generators.
        discrimination: weight of the discriminators' loss (there ½, appendix 7.1).
        pool: generated images that each discriminator keeps (there 50, section 4); 0 for none.
        constant: share of the training with a constant learning rate, which then falls linearly to
            0 (there ½: 100 of 200 epochs, section 4).
        blocks: residual blocks of a generator; None for those of Zhu et al., 9 for images of 256
            pixels or more, else 6 (appendix 7.2).
        layers: of stride 2 in the discriminators (there 3, for patches of 70×70 pixels).
    """

    objective: Objective = "least_squares"
    cycle: NonNegative = 10.0
    identity: NonNegative = 0.5
    adversarial: NonNegative = 1.0
    discrimination: NonNegative = 0.5
    pool: Annotated[int, Field(ge=0)] = 50
    constant: Share = 0.5
    blocks: Positive | None = None
    layers: Positive = 3
