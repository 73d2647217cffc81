"""CycleGAN: translates between two domains without pairs.

Source: Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent adversarial
networks". Each domain d has a generator G_d, which makes images of it from images of the other
domain e, and a discriminator D_d. With x_d a real image, and means over pixels and patches, each
domain adds to the generators' loss (equations 1 to 3, section 5.2; least squares of section 4)

    (D_d(G_d(x_e)) − 1)² + λ |G_d(G_e(x_d)) − x_d| + ½ λ |G_d(x_d) − x_d|

and to the discriminators' loss ½ ((D_d(x_d) − 1)² + D_d(p)²), with p an image of a pool of images
that G_d made. A step updates the generators, then the discriminators.

Equation 8 of the thesis pairs D_X with G_Y and D_Y with G_X. By its own equation 6, D_X judges the
images of G_X, which makes images of X; so here.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Phase, Shape, Stateful
from latent_atlas.models.options.cyclegan import CycleGANOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.adversary import AdversarialModel, no_gradient
from latent_atlas.models.translation.base import Translator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import (
    PatchDiscriminator,
    ResNetGenerator,
    check_patches,
)
from latent_atlas.models.translation.image_pool import ImagePool
from latent_atlas.models.translation.monitor import ExponentialAverage

_LARGE = 256


class CycleGAN(AdversarialModel, Translator):
    """Two residual generators and two PatchGAN discriminators.

    Its options are `CycleGANOptions`. The images of a batch are of domain 0, their first partners
    of domain 1. With the adversarial weight 0 there are no discriminators.

    Attributes:
        generators: item d makes images of domain d.
        discriminators: item d judges images of domain d.
    """

    noise_dim = 2 * ImagePool.noise_dim

    def __init__(self, config: TranslatorConfig) -> None:
        options = CycleGANOptions.of(config.options)
        super().__init__(config, options)
        channels, width = config.shape[2], options.width
        self.cycle, self.weight = options.cycle, options.adversarial
        self.identity = options.cycle * options.identity
        self.discrimination_weight = options.discrimination
        self.constant = options.constant
        blocks = blocks_for(config.shape) if options.blocks is None else options.blocks
        self.generators = nn.ModuleList(
            ResNetGenerator(channels, channels, width, blocks) for _ in range(2)
        )
        self.average = ExponentialAverage(self.generators, options.ema) if options.ema else None
        self.pools = [ImagePool(options.pool), ImagePool(options.pool)]
        if self.weight:
            check_patches(config.shape, options.layers)
            self.discriminators = nn.ModuleList(
                PatchDiscriminator(channels, width, options.layers) for _ in range(2)
            )

    def phases(self) -> dict[str, Phase]:
        """Generators, then discriminators, if there are any; the learning rate falls to 0."""
        phases = {"generators": self.generation_phase("generators")}
        if self.weight:
            phases["discriminators"] = self.discrimination_phase("discriminators")
        return {name: replace(phase, decay=self._decay) for name, phase in phases.items()}

    def _decay(self, done: float) -> float:
        """Factor on the learning rate at a share of the training; 0 past its end."""
        if done < self.constant or self.constant == 1:
            return 1.0
        return max(0.0, (1 - done) / (1 - self.constant))

    def domains(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images of domain 0 and of domain 1, B×C×H×W in [−1, 1] each."""
        if batch.others is None:
            raise ValueError("found a batch without partner images, expected B×K×C×H×W")
        return to_signed(batch.images), to_signed(batch.others[:, 0])

    def forward(self, batch: Batch, phase: str = "generators") -> dict[str, Tensor]:
        """The terms of a phase, each the sum over both domains.

        ``generators``: ``loss``, the weighted sum of ``adversarial``, ``cycle`` and ``identity``;
        those with the weight 0 are left out. In validation also ``diversity`` and
        ``data_diversity`` of domain 1, and the same with ``_back`` of domain 0.
        ``discriminators``: see `AdversarialModel.discrimination`; the accuracy is the mean.
        """
        real = self.domains(batch)
        if phase == "discriminators":
            return self._discrimination(real, batch.noise)
        fake = [make(real[1 - domain]) for domain, make in enumerate(self.generators)]
        terms = self._generation(real, fake)
        weights = {"adversarial": self.weight, "cycle": self.cycle, "identity": self.identity}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
        signs = self.diversities(fake[1], real[1]) | self.diversities(fake[0], real[0], "_back")
        return {"loss": loss, **terms, **signs}

    def _generation(self, real: tuple[Tensor, Tensor], fake: list[Tensor]) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        for domain, make in enumerate(self.generators):
            found = {}
            if self.weight:
                logits = self.discriminators[domain](fake[domain])
                found["adversarial"] = objectives.generator_loss(logits, self.adversary.objective)
            if self.cycle:
                found["cycle"] = distance(make(fake[1 - domain]), real[domain])
            if self.identity:
                found["identity"] = distance(make(real[domain]), real[domain])
            terms = _sum(terms, found)
        return terms

    def _discrimination(self, real: tuple[Tensor, Tensor], noise: Tensor) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        draws = noise.chunk(2, 1)
        for domain, make in enumerate(self.generators):
            fake = no_gradient(make, real[1 - domain])
            if self.training:
                fake = self.pools[domain].exchange(fake, draws[domain])
            network = self.discriminators[domain]
            found = self.discrimination(
                network, real[domain], fake, weight=self.discrimination_weight
            )
            terms = _sum(terms, found)
        return terms | {"discriminator_accuracy": terms["discriminator_accuracy"] / 2}

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate images into their target domain.

        An image of the target domain goes through the same generator, which the identity loss
        teaches to leave it as it is.

        Args:
            images: B×C×H×W in [0, 1].
            attributes: B×1; without effect, as the target alone decides the generator.
            targets: B×1, the domain of each output, 0 or 1.
            noise: B×0.

        Returns:
            B×C×H×W in [0, 1], float32.
        """
        networks = self.generators if self.average is None else self.average.network.children()
        outputs = torch.empty_like(images, dtype=torch.float32)
        for domain, network in enumerate(networks):
            chosen = targets[:, 0] == domain
            if chosen.any():
                outputs[chosen] = to_unit(network(to_signed(images[chosen])))
        return outputs

    def end_step(self) -> None:
        """Update the average of the generators' weights."""
        if self.average is not None:
            self.average.update(self.generators)

    def memory(self) -> dict[str, Stateful]:
        """The pools of generated images."""
        return {f"pool {domain}": pool for domain, pool in enumerate(self.pools)}


def blocks_for(shape: Shape) -> int:
    """Residual blocks of a generator: 9 for images of 256 pixels or more, else 6."""
    return 9 if min(shape[:2]) >= _LARGE else 6


def distance(outputs: Tensor, images: Tensor) -> Tensor:
    """The mean L1 distance per pixel and channel: B numbers, float32."""
    return objectives.per_image((outputs.float() - images).abs())


def _sum(terms: dict[str, Tensor], found: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum of two domains' terms; of no terms, the others."""
    return {name: terms[name] + term for name, term in found.items()} if terms else found
