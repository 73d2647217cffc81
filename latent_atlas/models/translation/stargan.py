"""StarGAN: one generator that changes any of several attributes.

Source: Choi et al. 2018, "StarGAN: unified generative adversarial networks for multi-domain
image-to-image translation", sections 3 to 5 and appendix 7.2. The generator's input is an image
with the one-hot vectors of the attributes that it shall have, as constant maps. The discriminator
has two outputs: logits of being real, one per patch, and logits of the attributes. With x a real
image of the attributes a, t the target attributes, y = G(x, t), and means over pixels and patches,
the losses are (equations 5 to 8)

    discriminator: D(y) − D(x) + λ_gp (‖∇D(x̂)‖₂ − 1)² + λ_cls H(D_cls(x), a)
    generator:     −D(y) + λ_cls H(D_cls(y), t) + λ_rec |x − G(y, a)|

The generator is updated in every fifth step, and the discriminator in every step.

H is the cross-entropy summed over attributes, with a softmax over the values of each. The authors'
code has it so for facial expressions, eight values of one attribute; for CelebA it takes a sigmoid
per binary attribute, and for hair colour one per colour. The target attributes are those of a
random other image, as there.

Differences from the authors' code: the gradient penalty is that of the mean over the patches, which
is the number in the objective, where the code takes their sum; instance norm takes the statistics
of each image in translation too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Phase, Shape
from latent_atlas.models.networks.dense import scaled
from latent_atlas.models.options.stargan import StarGANOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.adversary import AdversarialModel, no_gradient
from latent_atlas.models.translation.attributes import attribute_entropy, one_hot
from latent_atlas.models.translation.base import Translator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import ResNetGenerator, with_maps
from latent_atlas.models.translation.monitor import average_of, averaged

_MAPS = 64
_SLOPE = 0.01
_MOST_HALVINGS = 6


class StarGAN(AdversarialModel, Translator):
    """A residual generator of images and attributes, and a discriminator that also classifies.

    Its options are `StarGANOptions`. The attributes of a batch's first partner are the target.
    """

    noise_dim = 0

    def __init__(self, config: TranslatorConfig) -> None:
        options = StarGANOptions.of(config.options)
        super().__init__(config, options)
        if not config.sizes:
            raise ValueError("found no attributes, expected one or more to change")
        self.options, self.sizes = options, config.sizes
        channels, values = config.shape[2], sum(config.sizes)
        self.generator = ResNetGenerator(
            channels + values,
            channels,
            options.width,
            options.blocks,
            norm="affine",
            kernel=4,
            reflect=False,
        )
        _as_pytorch(self.generator)
        self.discriminator = AttributeDiscriminator(config.shape, values, options.width)
        self.average = average_of(self.generator, options.ema)

    def phases(self) -> dict[str, Phase]:
        """Discriminator, and in each k-th step generator; the learning rate falls to 0."""
        phases = {
            "discriminator": self.discrimination_phase("discriminator"),
            "generator": self.generation_phase("generator"),
        }
        return {name: replace(phase, decay=self._decay) for name, phase in phases.items()}

    def _decay(self, done: float) -> float:
        """Factor on the learning rate at a share of the training; 0 past its end."""
        constant = self.options.constant
        if done <= constant or constant == 1:
            return 1.0
        return max(0.0, (1 - done) / (1 - constant))

    def forward(self, batch: Batch, phase: str = "generator") -> dict[str, Tensor]:
        """The terms of a phase.

        ``generator``: ``loss``, the weighted sum of ``adversarial``, ``translated_classification``
        (nats) and ``reconstruction`` (L1 per pixel and channel, of images in [−1, 1]); in
        validation ``diversity`` and ``data_diversity``. ``discriminator``: see
        `AdversarialModel.discrimination`, whose ``discrimination_loss`` here includes the weighted
        ``classification`` of real images (nats).
        """
        own, targets = _attributes(batch)
        images = to_signed(batch.images)
        if phase == "discriminator":
            fake = no_gradient(self.generator, self._with(images, targets))
            return self._discrimination(images, fake, own)
        outputs = self.generator(self._with(images, targets))
        patches, classes = self.discriminator(outputs)
        options = self.options
        adversarial = objectives.generator_loss(patches, options.objective)
        entropy = attribute_entropy(classes, targets, self.sizes)
        back = self.generator(self._with(outputs, own))
        distance = objectives.per_image((back.float() - images).abs())
        loss = options.adversarial * adversarial + options.classification * entropy
        return {
            "loss": loss + options.reconstruction * distance,
            "adversarial": adversarial,
            "translated_classification": entropy,
            "reconstruction": distance,
            **self.diversities(outputs, images),
        }

    def _discrimination(self, real: Tensor, fake: Tensor, own: Tensor) -> dict[str, Tensor]:
        classes: list[Tensor] = []

        def discriminator(images: Tensor) -> Tensor:
            patches: Tensor
            patches, found = self.discriminator(images)
            classes.append(found)
            return patches

        terms = self.discrimination(discriminator, real, fake, weight=self.options.adversarial)
        entropy = attribute_entropy(classes[0], own, self.sizes)  # real images come first
        terms["discrimination_loss"] = (
            terms["discrimination_loss"] + self.options.classification * entropy
        )
        return {**terms, "classification": entropy}

    def _with(self, images: Tensor, attributes: Tensor) -> Tensor:
        """B×C×H×W images with the one-hot maps of B×A attributes: the generator's input."""
        return with_maps(images, one_hot(attributes, self.sizes))

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate images to the attributes `targets`.

        Args:
            images: B×C×H×W in [0, 1].
            attributes: B×A; without effect.
            targets: B×A.
            noise: B×0; without effect.

        Returns:
            B×C×H×W in [0, 1], float32.
        """
        network = averaged(self.generator, self.average)
        return to_unit(network(self._with(to_signed(images), targets)))

    def end_step(self) -> None:
        """Update the average of the generator's weights."""
        if self.average is not None:
            self.average.update(self.generator)


class AttributeDiscriminator(nn.Module):
    """A discriminator of patches that also classifies the attributes of an image.

    Choi et al. 2018, appendix 7.2: 4×4 convolutions of stride 2 with leaky ReLU of slope
    0.01 and without norm, six for images of 128 pixels. Smaller images have fewer, so that the
    smaller side of the last maps is 2 cells or more. A 3×3 convolution gives a logit per cell, and
    one of the size of the maps the logits of the attributes.

    Args:
        shape: of the images.
        values: logits of the attributes.
        width: factor on all maps.
    """

    def __init__(self, shape: Shape, values: int, width: float = 1.0) -> None:
        super().__init__()
        height, width_, channels = shape
        count = min(_MOST_HALVINGS, int(math.log2(min(height, width_))) - 1)
        maps = [channels, *(scaled(_MAPS * 2**level, width) for level in range(count))]
        self.layers = nn.ModuleList(
            nn.Conv2d(inner, outer, 4, 2, 1) for inner, outer in pairwise(maps)
        )
        self.patches = nn.Conv2d(maps[-1], 1, 3, padding=1, bias=False)
        kernel = height >> count, width_ >> count
        self.classes = nn.Conv2d(maps[-1], values, kernel, bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """B×C×H×W to B×h×w logits of being real and B×values logits of the attributes."""
        for layer in self.layers:
            images = F.leaky_relu(layer(images), _SLOPE)
        return self.patches(images).squeeze(1), self.classes(images).flatten(1)


def _as_pytorch(network: nn.Module) -> None:
    """Draw initial weights as PyTorch's layers do, which is how the authors' code starts."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.GroupNorm)):
            layer.reset_parameters()


def _attributes(batch: Batch) -> tuple[Tensor, Tensor]:
    """The attributes of images and of their first partners, B×A each."""
    if batch.attributes is None or batch.targets is None:
        raise ValueError("found a batch without attributes and targets, expected B×A numbers each")
    return batch.attributes, batch.targets
