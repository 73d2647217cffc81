"""pix2pix: translates images by pairs of an input and its target.

Source: Isola et al. 2017, "Image-to-image translation with conditional adversarial networks". The
discriminator sees pairs, of an input with its target or with the generator's output (equation 1);
the generator also lowers the mean L1 distance to the target (equations 3 and 4):

    discriminator: ½ (s(−D(x, y)) + s(D(x, G(x))))
    generator:     s(−D(x, G(x))) + λ mean |y − G(x)|

with s(l) = log(1 + exp(l)). A step updates the discriminator, then the generator (section 3.3). The
only noise is dropout, in translation as in training (section 3.1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from latent_atlas.models.base import Batch, Phase
from latent_atlas.models.options.pix2pix import Pix2PixOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.adversary import (
    AdversarialModel,
    compares_no_images,
    no_gradient,
)
from latent_atlas.models.translation.base import Translator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import (
    Norm,
    PatchDiscriminator,
    UNet,
    check_patches,
)
from latent_atlas.models.translation.monitor import average_of, averaged


class Pix2Pix(AdversarialModel, Translator):
    """A U-Net with a PatchGAN discriminator of pairs.

    Its options are `Pix2PixOptions`. With the adversarial weight 0 there is no discriminator.
    """

    noise_dim = 0

    def __init__(self, config: TranslatorConfig) -> None:
        options = Pix2PixOptions.of(config.options)
        super().__init__(config, options)
        channels, norm = config.shape[2], options.norm
        self.reverse = config.reverse
        self.l1, self.weight = options.l1, options.adversarial
        self.discrimination_weight = options.discrimination
        self.generator = UNet(config.shape, channels, options.width, options.skips, norm)
        self.style_dim = self.generator.noise_dim if options.dropout else 0
        self.average = average_of(self.generator, options.ema)
        if self.weight:
            check_patches(config.shape, options.layers)
            patch_norm: Norm = "affine" if compares_no_images(options) else norm
            self.discriminator = PatchDiscriminator(
                2 * channels, options.width, options.layers, patch_norm
            )

    def phases(self) -> dict[str, Phase]:
        """Discriminator, if there is one, then generator."""
        generator = {"generator": self.generation_phase("generator")}
        if not self.weight:
            return generator
        return {"discriminator": self.discrimination_phase("discriminator"), **generator}

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Inputs and targets, B×C×H×W in [−1, 1] each."""
        if batch.others is None:
            raise ValueError("found a batch without partner images, expected B×K×C×H×W")
        images, partners = to_signed(batch.images), to_signed(batch.others[:, 0])
        return (partners, images) if self.reverse else (images, partners)

    def forward(self, batch: Batch, phase: str = "generator") -> dict[str, Tensor]:
        """The terms of a phase.

        ``generator``: ``loss``, the weighted sum of ``adversarial`` and ``l1``; in validation
        ``diversity`` and ``data_diversity``. ``discriminator``: see
        `AdversarialModel.discrimination`.
        """
        inputs, targets = self.pair(batch)
        if phase == "discriminator":
            fake = no_gradient(self.generator, inputs)
            return self.discrimination(
                self.discriminator, targets, fake, inputs, self.discrimination_weight
            )
        outputs = self.generator(inputs)
        distance = objectives.per_image((outputs.float() - targets).abs())
        terms = {"l1": distance}
        loss = self.l1 * distance
        if self.weight:
            logits = self.discriminator(torch.cat([inputs.to(outputs), outputs], 1))
            adversarial = objectives.generator_loss(logits, self.adversary.objective)
            terms["adversarial"] = adversarial
            loss = loss + self.weight * adversarial
        return {"loss": loss, **terms, **self.diversities(outputs, targets)}

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate inputs to targets; attributes have no effect.

        Args:
            images: B×C×H×W inputs in [0, 1].
            attributes: of any shape.
            targets: of any shape.
            noise: B×`style_dim`, which decides the dropout of each image.

        Returns:
            B×C×H×W in [0, 1], float32.
        """
        network = averaged(self.generator, self.average)
        return to_unit(network(to_signed(images), noise if self.style_dim else None))

    def end_step(self) -> None:
        """Update the average of the generator's weights."""
        if self.average is not None:
            self.average.update(self.generator)
