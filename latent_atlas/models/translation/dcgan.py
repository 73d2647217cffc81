"""The DCGAN: a generator of images and a discriminator, both convolutional.

Source: Radford et al. 2016, "Unsupervised representation learning with deep convolutional
generative adversarial networks", section 3 and figure 1. The code is projected to 4×4 cells of 1024
maps; 5×5 transposed convolutions of stride 2 lead to the image. Batch norm and ReLU follow the
projection and each layer but the last, which ends with tanh. The discriminator mirrors it with
convolutions of stride 2 and leaky ReLU, without batch norm behind the first; its last layer is
linear. An image of 64 pixels has four such layers; smaller ones lack the inner layers.

The thesis (section 2.2.4) exempts the discriminator's output layer and the generator's input layer
from batch norm. In Radford et al., section 3, it is the other way round: no batch norm in the
generator's output layer and in the discriminator's input layer.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Phase, Shape
from latent_atlas.models.networks.dense import scaled
from latent_atlas.models.options.dcgan import DCGANOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.adversary import (
    AdversarialModel,
    compares_no_images,
    no_gradient,
)
from latent_atlas.models.translation.base import Generator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import (
    SLOPE,
    Norm,
    initialise,
    needs_bias,
    normalisation,
    with_maps,
)
from latent_atlas.models.translation.monitor import average_of, averaged

_LEAST_SIDE = 4
_MAPS = 128
_MOST_MAPS = 1024


class DCGAN(AdversarialModel, Generator):
    """A GAN whose networks may have a condition, see `CGAN`; here there is none.

    Its options are `DCGANOptions`.

    Args:
        config: of the model; `sizes` has no effect.
        conditions: numbers of the condition of an image.
    """

    def __init__(self, config: TranslatorConfig, conditions: int = 0) -> None:
        options = DCGANOptions.of(config.options)
        super().__init__(config, options)
        self.code_dim = self.noise_dim = options.code
        self.generator = CodeGenerator(config.shape, options.code + conditions, options.width)
        norm: Norm = "none" if compares_no_images(options) else "batch"
        self.discriminator = ImageDiscriminator(config.shape, conditions, options.width, norm)
        self.average = average_of(self.generator, options.ema)

    def phases(self) -> dict[str, Phase]:
        """Discriminator, then generator (Goodfellow et al. 2014, algorithm 1)."""
        return {
            "discriminator": self.discrimination_phase("discriminator"),
            "generator": self.generation_phase("generator"),
        }

    def condition(self, attributes: Tensor | None, images: int) -> Tensor:
        """The numbers of the condition of each of B images: B×K; here B×0."""
        return self.generator.project.weight.new_zeros(images, 0)

    def forward(self, batch: Batch, phase: str = "generator") -> dict[str, Tensor]:
        """The terms of a phase.

        ``generator``: ``loss``, the objective of the generator; in validation ``diversity`` and
        ``data_diversity``. ``discriminator``: see `AdversarialModel.discrimination`. Both phases
        of a step have the same codes.
        """
        condition = self.condition(batch.attributes, len(batch.images))
        codes, real = torch.cat([batch.noise, condition], 1), to_signed(batch.images)

        def discriminator(images: Tensor) -> Tensor:
            logits: Tensor = self.discriminator(images, condition)
            return logits

        if phase == "discriminator":
            fake = no_gradient(self.generator, codes)
            return self.discrimination(discriminator, real, fake)
        fake = self.generator(codes)
        loss = objectives.generator_loss(discriminator(fake), self.adversary.objective)
        return {"loss": loss, **self.diversities(fake, real)}

    def generate(self, codes: Tensor, attributes: Tensor) -> Tensor:
        """B×code_dim codes and B×A attribute values to B×C×H×W in [0, 1], float32."""
        inputs = torch.cat([codes, self.condition(attributes, len(codes)).to(codes)], 1)
        return to_unit(averaged(self.generator, self.average)(inputs))

    def end_step(self) -> None:
        """Update the average of the generator's weights."""
        if self.average is not None:
            self.average.update(self.generator)


def grid_of(shape: Shape) -> tuple[int, int, list[int]]:
    """Height and width of the smallest maps, and the maps of each layer from the image inwards.

    Images are halved while both sides are even and at least four cells remain.
    """
    height, width, _ = shape
    maps: list[int] = []
    while height % 2 == 0 and width % 2 == 0 and min(height, width) // 2 >= _LEAST_SIDE:
        height, width = height // 2, width // 2
        maps.append(min(_MOST_MAPS, _MAPS * 2 ** len(maps)))
    return height, width, maps


class CodeGenerator(nn.Module):
    """The generator: B×inputs codes to B×C×H×W images in [−1, 1] (Radford et al., figure 1)."""

    def __init__(self, shape: Shape, inputs: int, width: float = 1.0) -> None:
        super().__init__()
        rows, columns, maps = grid_of(shape)
        widths = [scaled(one, width) for one in reversed(maps)]
        # The projection is a transposed convolution of one pixel.
        self.project = nn.ConvTranspose2d(inputs, widths[0], (rows, columns), bias=False)
        parts: list[nn.Module] = [*normalisation("batch", widths[0]), nn.ReLU()]
        for inner, outer in pairwise(widths):
            up = nn.ConvTranspose2d(inner, outer, 5, 2, 2, 1, bias=False)
            parts += [up, *normalisation("batch", outer), nn.ReLU()]
        last = nn.ConvTranspose2d(widths[-1], shape[2], 5, 2, 2, 1)
        self.layers = nn.Sequential(*parts, last, nn.Tanh())
        initialise(self)

    def forward(self, codes: Tensor) -> Tensor:
        """B×inputs to B×C×H×W in [−1, 1]."""
        images: Tensor = self.layers(self.project(codes[:, :, None, None]))
        return images


class ImageDiscriminator(nn.Module):
    """The discriminator: B×C×H×W images, and B×conditions numbers as constant maps, to B logits."""

    def __init__(
        self, shape: Shape, conditions: int = 0, width: float = 1.0, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        rows, columns, maps = grid_of(shape)
        widths = [scaled(one, width) for one in maps]
        first = nn.Conv2d(shape[2] + conditions, widths[0], 5, 2, 2)
        parts: list[nn.Module] = [first, nn.LeakyReLU(SLOPE)]
        for inner, outer in pairwise(widths):
            down = nn.Conv2d(inner, outer, 5, 2, 2, bias=needs_bias(norm))
            parts += [down, *normalisation(norm, outer), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*parts)
        self.last = nn.Linear(widths[-1] * rows * columns, 1)
        initialise(self)

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        """B×C×H×W and B×conditions to B logits."""
        logits: Tensor = self.last(self.layers(with_maps(images, condition)).flatten(1))
        return logits.squeeze(1)
