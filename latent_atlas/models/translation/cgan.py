"""The conditional GAN: a DCGAN whose networks know the attributes that an image shall have.

Source: Mirza & Osindero 2014, "Conditional generative adversarial nets", section 3.2: the condition
is a further input of both networks. They train fully connected networks on digits; here the layers
are those of the DCGAN. The condition is a one-hot vector per attribute, appended to the code of the
generator, and as constant maps to the image that the discriminator sees.
"""

from __future__ import annotations

from torch import Tensor

from latent_atlas.models.options.cgan import CGANOptions
from latent_atlas.models.translation.attributes import one_hot
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.models.translation.dcgan import DCGAN


class CGAN(DCGAN):
    """A DCGAN with the attributes of an image as its condition.

    Its options are `CGANOptions`. Generated images have the attributes of the batch's real images,
    so the discriminator sees both with the same ones.
    """

    def __init__(self, config: TranslatorConfig) -> None:
        CGANOptions.of(config.options)
        if not config.sizes:
            raise ValueError("found no attributes, expected one or more as the condition")
        super().__init__(config, sum(config.sizes))
        self.sizes = config.sizes

    def condition(self, attributes: Tensor | None, images: int) -> Tensor:
        """A one-hot vector per attribute: B×A values to B×(sum of the sizes)."""
        if attributes is None:
            raise ValueError("found a batch without attributes, expected B×A numbers")
        return one_hot(attributes, self.sizes)
