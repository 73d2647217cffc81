"""Options of StarGAN."""

from __future__ import annotations

from latent_atlas.config.section import NonNegative, Positive, Share
from latent_atlas.models.options.adversarial import AdversarialOptions, Objective


class StarGANOptions(AdversarialOptions):
    """Options of StarGAN (Choi et al. 2018).

    A StarGAN of one pair of domains, an ablation, is one whose run names a single attribute with
    two values; it needs no option.

    Attributes:
        objective: of both networks; WGAN-GP there (equation 8). ``saturating`` is the minimax form
            of the thesis, and of equation 1 there.
        adversarial: weight of the adversarial loss of both networks.
        classification: λ_cls, weight of the cross-entropy of the attributes (there 1, section 3.1);
            0 for none.
        reconstruction: λ_rec, weight of the mean L1 distance per pixel and channel between an image
            and its translation back (there 10, section 3.1); 0 for none.
        discriminator_steps: steps of the discriminator per step of the generator (there 5, section
            5.3).
        blocks: residual blocks of the generator (there 6, appendix 7.2).
        constant: share of the training with a constant learning rate, which then falls linearly to
            0 (there ½: 10 of 20 epochs, section 5.3).
    """

    objective: Objective = "wgan_gp"
    adversarial: NonNegative = 1.0
    classification: NonNegative = 1.0
    reconstruction: NonNegative = 10.0
    discriminator_steps: Positive = 5
    blocks: Positive = 6
    constant: Share = 0.5
