"""Options that all models with a generator and a discriminator have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from latent_atlas.config.section import NonNegative, Options, Positive

Objective = Literal["bce", "saturating", "least_squares", "wgan_gp"]
"""See `latent_atlas.models.translation.objectives`."""

Decay = Annotated[float, Field(ge=0, lt=1)]

Width = Annotated[float, Field(gt=0)]


class AdversarialOptions(Options):
    """Options of a model with a generator and a discriminator.

    Attributes:
        objective: of both networks.
        width: factor on the number of feature maps of every network; the paper's is 1.
        beta1: β₁ of Adam; 0.5 after Radford et al. 2016, section 4.
        beta2: β₂ of Adam; 0.999 is that of Kingma and Ba 2015, which Radford et al. keep.
        discriminator_steps: steps of the discriminator per step of the generator.
        gradient_penalty: weight of the penalty of the objective ``wgan_gp`` (Gulrajani et al. 2017,
            equation 3); without effect on other objectives.
        r1: γ of the penalty on the discriminator's gradient at real images (Mescheder et al. 2018,
            equation 9, there 10); 0 for none.
        ema: decay per step of the exponential average of the generator's weights, which then
            generates in its place (Karras et al. 2018, appendix A: 0.999); 0 for none.
        stop_on_collapse: end the training after an epoch in which the discriminator separates
            perfectly, or the generated images are much more alike than the real ones.
    """

    objective: Objective = "bce"
    width: Width = 1.0
    beta1: Decay = 0.5
    beta2: Decay = 0.999
    discriminator_steps: Positive = 1
    gradient_penalty: NonNegative = 10.0
    r1: NonNegative = 0.0
    ema: Decay = 0.0
    stop_on_collapse: bool = False
