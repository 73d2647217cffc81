"""Options of the Fader network."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from latent_atlas.config.section import NonNegative, Options, Positive, Share
from latent_atlas.models.options.adversarial import Decay, Width

Dropout = Annotated[float, Field(ge=0, lt=1)]


class FaderOptions(Options):
    """Options of the Fader network (Lample et al. 2017).

    Its discriminator classifies codes, so it has neither an objective for real and generated images
    nor a penalty on them.

    Attributes:
        width: factor on the number of feature maps of every network; the paper's is 1.
        maps: of the first layer (there 16, section 4).
        halvings: 4×4 convolutions of stride 2 in the encoder (there 7 at 256 pixels, section 4);
            None for as many as leave a code of 2×2 cells, at most 7.
        reconstruction: weight of the mean squared error per pixel and channel of images in [−1, 1];
            1 in the authors' code.
        adversarial: λ_E at its end, weight of the cross-entropy of the wrong attributes (there
            1e-4, section 4); 0 trains without the discriminator.
        rise: steps over which λ_E rises linearly from 0 (there 500,000, section 4); 0 for none.
        rise_share: share of the training over which it rises, in place of `rise`, for short
            trainings.
        dropout: of the discriminator (there 0.3, section 4).
        hidden: units of the discriminator's linear layer (there 512, section 4).
        beta1: β₁ of Adam (there 0.5, section 4).
        beta2: β₂ of Adam; 0.999 in the authors' code.
        ema: decay per step of the exponential average of the autoencoder's weights, which then
            translates in its place (Karras et al. 2018, section 4: 0.999); 0 for none.
        stop_on_collapse: end the training after an epoch in which the reconstructions are much more
            alike than the images.
    """

    width: Width = 1.0
    maps: Positive = 16
    halvings: Positive | None = None
    reconstruction: NonNegative = 1.0
    adversarial: NonNegative = 1e-4
    rise: Annotated[int, Field(ge=0)] = 500_000
    rise_share: Share | None = None
    dropout: Dropout = 0.3
    hidden: Positive = 512
    beta1: Decay = 0.5
    beta2: Decay = 0.999
    ema: Decay = 0.0
    stop_on_collapse: bool = False
