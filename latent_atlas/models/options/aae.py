"""Options of the adversarial autoencoder."""

from __future__ import annotations

from typing import Literal

from latent_atlas.config.section import NonNegative, Options, Positive


class AAEOptions(Options):
    """Options of the adversarial autoencoder.

    Attributes:
        prior: standard normal, or a mixture of one Gaussian per label (Makhzani et al. 2016,
            section 2.3).
        components: Gaussians of the mixture.
        radius: radius of the circle on which their means lie.
        hidden: units of each of the discriminator's two hidden layers (there 1000, appendix A).
        joint: reconstruction and regularisation are one update of the sum of their losses; false
            gives the three phases of the paper.
        regularisation: weight of regularisation in that sum, in nats per image.
        penalty: γ, weight of the penalty on the discriminator's gradient (Mescheder et al. 2018,
            equation 9).
        pace: factor on the learning rate of discrimination, and of regularisation where it is an
            update of its own.
    """

    prior: Literal["normal", "mixture"] = "normal"
    components: Positive = 10
    radius: NonNegative = 4.0
    hidden: Positive = 1000
    joint: bool = True
    regularisation: NonNegative = 50.0
    penalty: NonNegative = 10.0
    pace: NonNegative = 1.0
