"""Options of pix2pix."""

from __future__ import annotations

from typing import Literal

from latent_atlas.config.section import NonNegative, Positive
from latent_atlas.models.options.adversarial import AdversarialOptions, Objective


class Pix2PixOptions(AdversarialOptions):
    """Options of pix2pix (Isola et al. 2017).

    Attributes:
        objective: of both networks; Isola et al. train G to maximise log D(x, G(x, z)) (section
            3.3). ``saturating`` is the minimax form of the thesis.
        l1: λ, weight of the mean L1 distance per pixel and channel (there 100, section 4.2); 0 for
            none.
        adversarial: weight of the adversarial loss of the generator; 0 trains without a
            discriminator.
        discrimination: weight of the discriminator's loss, which slows it down relative to the
            generator (½, section 3.3).
        skips: the generator is a U-Net; else its encoder and decoder without skips (section 4.3).
        dropout: dropout is active in translation too, where it is the only noise (section 3.1);
            else an input has one output.
        layers: of stride 2 in the discriminator (there 3, for patches of 70×70 pixels).
        norm: ``affine`` normalises each image alone. That is the batch norm of Isola et al., who
            train with batches of one image and take the statistics of the test batch (section
            3.3). ``batch`` is batch norm with the statistics of the training.
    """

    objective: Objective = "bce"
    l1: NonNegative = 100.0
    adversarial: NonNegative = 1.0
    discrimination: NonNegative = 0.5
    skips: bool = True
    dropout: bool = True
    layers: Positive = 3
    norm: Literal["affine", "batch"] = "affine"
