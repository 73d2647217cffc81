"""MUNIT: translates between two domains, with several outputs for an input.

Source: Huang et al. 2018, "Multimodal unsupervised image-to-image translation", sections 3 to 5 and
appendix B. Each domain has an autoencoder, whose encoders find a content code and a style code; the
translation decodes the content of an image with a style that is drawn from N(0, I). With x_d a real
image of domain d, c_d and s_d its codes, r_d a drawn style, y_d = G_d(c_e, r_d) the translation of
an image of the other domain e, and means over pixels, cells and patches, each domain adds to the
autoencoders' loss (equations 1 to 5)

    (D_d(y_d) − 1)² + λ_x |G_d(c_d, s_d) − x_d| + λ_s |E_s(y_d) − r_d| + λ_c |E_c(y_d) − c_e|

and to the discriminators' loss (D_d(x_d) − 1)² + D_d(y_d)², both summed over the scales of D_d. A
step updates the discriminators, then the autoencoders, as in the authors' code.

Differences from the authors' code: both phases of a step draw the same styles; the gains of layer
norm start at 1, where the code draws them from [0, 1), and its ε is inside the root. The
domain-invariant perceptual loss, which the paper uses on two data sets of large images, needs a
pretrained VGG network and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Phase, Shape
from latent_atlas.models.networks.dense import scaled
from latent_atlas.models.options.munit import MUNITOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.adversary import AdversarialModel
from latent_atlas.models.translation.base import Translator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import (
    DEVIATION,
    SLOPE,
    InstanceNorm,
    ReflectionPad,
    ResidualBlock,
    initialise,
    padded,
)
from latent_atlas.models.translation.monitor import average_of, averaged

_MAPS = 64


class MUNIT(AdversarialModel, Translator):
    """Two autoencoders of content and style, and two discriminators of several scales.

    Its options are `MUNITOptions`. The images of a batch are of domain 0, their first partners of
    domain 1. The noise of a batch has the styles of both directions: first those of domain 0.

    Attributes:
        generators: item d is the autoencoder of domain d.
        discriminators: item d judges images of domain d.
    """

    def __init__(self, config: TranslatorConfig) -> None:
        options = MUNITOptions.of(config.options)
        super().__init__(config, options)
        self.options, self.style_dim = options, options.style_dim
        self.noise_dim = 2 * options.style_dim
        channels = config.shape[2]
        self.generators = nn.ModuleList(StyleAutoencoder(channels, options) for _ in range(2))
        self.average = average_of(self.generators, options.ema)
        self.scales = scales_of(config.shape, options.scales, options.layers)
        self.discriminators = nn.ModuleList(
            nn.ModuleList(
                scale_discriminator(channels, options.layers, options.width)
                for _ in range(self.scales)
            )
            for _ in range(2)
        )

    def phases(self) -> dict[str, Phase]:
        """Discriminators, then generators; the learning rate is halved again and again."""
        phases = {
            "discriminators": self.discrimination_phase("discriminators"),
            "generators": self.generation_phase("generators"),
        }
        decay = self.options.weight_decay
        return {
            name: replace(phase, rate=self._rate, weight_decay=decay)
            for name, phase in phases.items()
        }

    def _rate(self, step: int) -> float:
        """Factor on the learning rate of a step."""
        return float(0.5 ** (step // self.options.halving))

    def forward(self, batch: Batch, phase: str = "generators") -> dict[str, Tensor]:
        """The terms of a phase, each the sum over both domains.

        ``generators``: ``loss``, the weighted sum of ``adversarial``, ``image``, ``style``,
        ``content`` and ``cycle``, which is left out with the weight 0. In validation also
        ``diversity`` and ``data_diversity`` of domain 1, and the same with ``_back`` of domain 0.
        ``discriminators``: see `AdversarialModel.discrimination`; losses are summed over the
        scales, whose penalties are those of their own images, and the accuracy is the mean.
        """
        if batch.others is None:
            raise ValueError("found a batch without partner images, expected B×K×C×H×W")
        real = [to_signed(batch.images), to_signed(batch.others[:, 0])]
        drawn = batch.noise.chunk(2, 1)
        if phase == "discriminators":
            return self._discrimination(real, drawn)
        terms, fake = self._generation(real, drawn)
        weights = self.options.model_dump()
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum(0)
        signs = self.diversities(fake[1], real[1]) | self.diversities(fake[0], real[0], "_back")
        return {"loss": loss, **terms, **signs}

    def _generation(
        self, real: list[Tensor], drawn: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The terms of the autoencoders, and the translations into each domain."""
        networks = _autoencoders(self.generators)
        contents = [network.content(real[d]) for d, network in enumerate(networks)]
        styles = [network.style(real[d]) for d, network in enumerate(networks)]
        fake = [network(contents[1 - d], drawn[d]) for d, network in enumerate(networks)]
        found = []
        for d, network in enumerate(networks):
            other = 1 - d
            content = network.content(fake[d])
            found.append(
                {
                    "adversarial": self._adversarial(d, fake[d]),
                    "image": distance(network(contents[d], styles[d]), real[d]),
                    "style": distance(network.style(fake[d]), drawn[d]),
                    "content": distance(content, contents[other]),
                }
            )
            if self.options.cycle:
                back = networks[other](content, styles[other])
                found[d]["cycle"] = distance(back, real[other])
        return {name: found[0][name] + found[1][name] for name in found[0]}, fake

    def _adversarial(self, domain: int, fake: Tensor) -> Tensor:
        """The objective of the autoencoder of a domain, summed over the scales: B numbers."""
        networks = self.discriminators[domain].children()
        losses = [
            objectives.generator_loss(network(images), self.options.objective)
            for network, images in zip(networks, pyramid(fake, self.scales), strict=True)
        ]
        return torch.stack(losses).sum(0)

    def _discrimination(self, real: list[Tensor], drawn: Sequence[Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            networks = _autoencoders(self.generators)
            contents = [network.content(real[d]) for d, network in enumerate(networks)]
            fake = [network(contents[1 - d], drawn[d]) for d, network in enumerate(networks)]
        found = [
            self.discrimination(network, one, made)
            for d, scales in enumerate(self.discriminators)
            for network, one, made in zip(
                scales.children(),
                pyramid(real[d], self.scales),
                pyramid(fake[d], self.scales),
                strict=True,
            )
        ]
        terms = {name: torch.stack([scale[name] for scale in found]).sum(0) for name in found[0]}
        accuracy = terms["discriminator_accuracy"] / len(found)
        return terms | {"discriminator_accuracy": accuracy}

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate images into their target domain.

        Args:
            images: B×C×H×W in [0, 1].
            attributes: B×1, their domains, 0 or 1.
            targets: B×1, the domains of the outputs; an image of its own target domain is
                reconstructed with its own style.
            noise: B×`style_dim`, the styles of the translations.

        Returns:
            B×C×H×W in [0, 1], float32.
        """
        networks = _autoencoders(averaged(self.generators, self.average))
        outputs = torch.empty_like(images, dtype=torch.float32)
        for source, target in product(range(2), repeat=2):
            chosen = (attributes[:, 0] == source) & (targets[:, 0] == target)
            if not chosen.any():
                continue
            inputs = to_signed(images[chosen])
            same = source == target
            style = networks[source].style(inputs) if same else noise[chosen]
            outputs[chosen] = to_unit(networks[target](networks[source].content(inputs), style))
        return outputs

    def end_step(self) -> None:
        """Update the average of the autoencoders' weights."""
        if self.average is not None:
            self.average.update(self.generators)


class StyleAutoencoder(nn.Module):
    """The autoencoder of a domain: content encoder, style encoder, and decoder with AdaIN.

    Huang et al. 2018, appendix B.2. Content: c7s1-64, d128, d256, R256 four times, with instance
    norm. Style: c7s1-64, d128, d256 three times, without norm, the mean over the cells, a linear
    layer of 8. Decoder: R256 four times with AdaIN, u128, u64 with layer norm, c7s1-3 with tanh. A
    multilayer perceptron of the style gives the gains and biases of AdaIN. Convolutions have
    reflection padding and ReLU. Initial weights follow He et al. 2015.

    Args:
        channels: of the images.
        options: of the model.
    """

    def __init__(self, channels: int, options: MUNITOptions) -> None:
        super().__init__()
        first, second, third = (scaled(_MAPS * factor, options.width) for factor in (1, 2, 4))
        entry = (channels, first, second, third)
        self.content = nn.Sequential(
            *_encoder(entry, InstanceNorm),
            *(ResidualBlock(third, "instance") for _ in range(options.blocks)),
        )
        self.style = nn.Sequential(
            *_encoder((*entry, third, third), None), Mean(), nn.Linear(third, options.style_dim)
        )
        hidden = scaled(options.mlp, options.width)
        self.perceptron = nn.Sequential(
            nn.Linear(options.style_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, options.blocks * 4 * third),
        )
        self.blocks = nn.ModuleList(AdaptiveBlock(third) for _ in range(options.blocks))
        self.decoder = nn.Sequential(
            *_up(third, second),
            *_up(second, first),
            *padded(nn.Conv2d(first, channels, 7), True),
            nn.Tanh(),
        )
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """B×maps×(H/4)×(W/4) content and B×style_dim styles to B×C×H×W in [−1, 1]."""
        parameters = self.perceptron(style).chunk(len(self.blocks), 1)
        for block, own in zip(self.blocks, parameters, strict=True):
            content = block(content, own)
        images: Tensor = self.decoder(content)
        return images


class AdaptiveBlock(nn.Module):
    """A residual block of two 3×3 convolutions with adaptive instance norm (section 5.1)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*padded(nn.Conv2d(maps, maps, 3), True))
        self.second = nn.Sequential(*padded(nn.Conv2d(maps, maps, 3), True))

    def forward(self, maps: Tensor, parameters: Tensor) -> Tensor:
        """B×maps×H×W, and biases and gains of both norms in turn, B×(4·maps), to B×maps×H×W."""
        first, second = parameters.chunk(2, 1)
        inner = F.relu(adaptive_norm(self.first(maps), first))
        return maps + adaptive_norm(self.second(inner), second)


def adaptive_norm(maps: Tensor, parameters: Tensor) -> Tensor:
    """Instance norm of B×M×H×W maps, with M biases and then M gains of each image: B×2M."""
    biases, gains = parameters[..., None, None].chunk(2, 1)
    return F.group_norm(maps, maps.shape[1]) * gains + biases


class Mean(nn.Module):
    """The mean over the cells: B×M×H×W to B×M."""

    def forward(self, maps: Tensor) -> Tensor:
        """B×M×H×W to B×M."""
        return maps.mean((2, 3))


class Double(nn.Module):
    """Repeats every pixel: B×M×H×W to B×M×2H×2W."""

    def forward(self, maps: Tensor) -> Tensor:
        """B×M×H×W to B×M×2H×2W."""
        return F.interpolate(maps, scale_factor=2, mode="nearest")


def _encoder(maps: Sequence[int], norm: type[nn.Module] | None) -> list[nn.Module]:
    """A 7×7 convolution from maps[0] to maps[1], then 4×4 ones of stride 2."""
    parts: list[nn.Module] = []
    for level, (inner, outer) in enumerate(pairwise(maps)):
        parts += (
            [ReflectionPad(1), nn.Conv2d(inner, outer, 4, 2)]
            if level
            else padded(nn.Conv2d(inner, outer, 7), True)
        )
        parts += [norm(outer), nn.ReLU()] if norm else [nn.ReLU()]
    return parts


def _up(inner: int, outer: int) -> list[nn.Module]:
    """Doubling of the size, a 5×5 convolution, layer norm (one group) and ReLU."""
    return [Double(), *padded(nn.Conv2d(inner, outer, 5), True), nn.GroupNorm(1, outer), nn.ReLU()]


def scale_discriminator(channels: int, layers: int, width: float = 1.0) -> nn.Sequential:
    """One scale of a discriminator: B×C×H×W to B×1×h×w logits, one per patch.

    Huang et al. 2018, appendix B.2: 4×4 convolutions of stride 2, d64, d128, d256, d512, with leaky
    ReLU and without norm; then a 1×1 convolution. Initial weights have the deviation 0.02 of the
    authors' code, over the root of `width`: without norm, fewer maps would shrink the outputs.
    """
    maps = [channels, *(scaled(_MAPS * 2**level, width) for level in range(layers))]
    parts: list[nn.Module] = []
    for inner, outer in pairwise(maps):
        parts += [ReflectionPad(1), nn.Conv2d(inner, outer, 4, 2), nn.LeakyReLU(SLOPE)]
    network = nn.Sequential(*parts, nn.Conv2d(maps[-1], 1, 1))
    initialise(network, DEVIATION / math.sqrt(width))
    return network


def scales_of(shape: Shape, most: int, layers: int) -> int:
    """Scales of a discriminator: at most `most`, and each needs 2^layers pixels a side.

    Raises:
        ValueError: if the images are too small for one scale.
    """
    side = min(shape[:2])
    if side < 2**layers:
        raise ValueError(
            f"found {shape[0]}×{shape[1]} images, too small for a discriminator with {layers} "
            "layers of stride 2 (options.layers)"
        )
    return min(most, int(math.log2(side)) - layers + 1)


def pyramid(images: Tensor, scales: int) -> list[Tensor]:
    """The images, and `scales` − 1 versions of them, each half the size of the one before.

    Each is a 3×3 mean with stride 2 over the pixels inside the image, as in the authors' code.
    """
    found = [images]
    for _ in range(scales - 1):
        found.append(F.avg_pool2d(found[-1], 3, 2, 1, count_include_pad=False))
    return found


def distance(found: Tensor, wanted: Tensor) -> Tensor:
    """The mean L1 distance of B×… numbers: B numbers, float32."""
    return objectives.per_image((found.float() - wanted.float()).abs())


def _autoencoders(networks: nn.Module) -> list[StyleAutoencoder]:
    """Those of both domains."""
    return [network for network in networks.children() if isinstance(network, StyleAutoencoder)]
