"""Options of MUNIT."""

from __future__ import annotations

from latent_atlas.config.section import NonNegative, Positive
from latent_atlas.models.options.adversarial import AdversarialOptions, Objective


class MUNITOptions(AdversarialOptions):
    """Options of MUNIT (Huang et al. 2018).

    Attributes:
        objective: of all networks; least squares there (section 5.1). ``saturating`` is the minimax
            form of equation 4 there, and of the thesis.
        adversarial: weight of the adversarial loss of the generators; 1 there (equation 5).
        image: λ_x, weight of the mean L1 distance per pixel and channel of an image and its
            reconstruction (there 10, appendix B.1).
        content: λ_c, weight of the mean L1 distance of a content code and that of the translation
            (there 1, appendix B.1).
        style: λ_s, the same of a drawn style code (there 1, appendix B.1).
        cycle: weight of the mean L1 distance between an image and its translation back with its own
            style, the style-augmented cycle consistency of section 4; 0 or 10 in the authors' code.
        style_dim: numbers of a style code (there 8, appendix B.1).
        blocks: residual blocks of a content encoder, and of a decoder (there 4, appendix B.2).
        mlp: units of the layers that make the parameters of AdaIN (256 in the authors' code).
        scales: of each discriminator (there 3, appendix B.2); small images have fewer.
        layers: of stride 2 in each scale (there 4, appendix B.2).
        halving: steps after which the learning rate is halved, again and again (there 100,000,
            appendix B.1).
        weight_decay: of Adam, in both phases (1e-4 in the authors' code).
    """

    objective: Objective = "least_squares"
    adversarial: NonNegative = 1.0
    image: NonNegative = 10.0
    content: NonNegative = 1.0
    style: NonNegative = 1.0
    cycle: NonNegative = 0.0
    style_dim: Positive = 8
    blocks: Positive = 4
    mlp: Positive = 256
    scales: Positive = 3
    layers: Positive = 4
    halving: Positive = 100_000
    weight_decay: NonNegative = 1e-4
