"""Networks that several adversarial models share: PatchGAN, U-Net, residual generator.

Images lie in [−1, 1]. Every network has a factor `width` on its feature maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.networks.dense import scaled

Norm = Literal["none", "batch", "instance", "affine"]
"""Normalisation behind a convolution: none; batch norm; instance norm without weights (Ulyanov et
al. 2016), as in CycleGAN; instance norm with a weight and a bias per map, as in StarGAN."""

MULTIPLE = 32
"""Divisor of height and width, and their smallest value."""

DEVIATION = 0.02
"""Standard deviation of initial weights (Radford et al. 2016, section 4)."""

SLOPE = 0.2
"""Of leaky ReLU at negative inputs (Radford et al. 2016, section 4)."""

DROPOUT = 0.5
"""Isola et al. 2017, appendix 6.1.1."""

_MOST_HALVINGS = 8
_DROPPED = 3
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_AFFINE = (nn.BatchNorm2d, nn.GroupNorm)  # also of instance norm


def initialise(module: nn.Module, deviation: float = DEVIATION) -> None:
    """Draw all weights from N(0, deviation²), those of norms from N(1, deviation²); biases are 0.

    Radford et al. 2016, section 4; Isola et al. 2017, appendix 6.2; Zhu et al. 2017, appendix 7.1.
    The gains of norms follow the code of the authors of all three.
    """
    for layer in module.modules():
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if isinstance(layer, (*_WEIGHTED, *_AFFINE)) and isinstance(weight, Tensor):
            mean = 1.0 if isinstance(layer, _AFFINE) else 0.0
            nn.init.normal_(weight, mean, deviation)
            if isinstance(bias, Tensor):
                nn.init.zeros_(bias)


def check_shape(shape: Shape) -> None:
    """Check that the networks suit images of `shape`.

    Raises:
        ValueError: if a side is no multiple of 32, or there are neither 1 nor 3 channels.
    """
    height, width, channels = shape
    if height % MULTIPLE or width % MULTIPLE or min(height, width) < MULTIPLE:
        raise ValueError(
            f"found {height}×{width} images, expected a height and a width that are multiples of "
            f"{MULTIPLE}"
        )
    if channels not in (1, 3):
        raise ValueError(f"found images of {channels} channels, expected 1 or 3")


def normalisation(norm: Norm, maps: int) -> list[nn.Module]:
    """The layer of a normalisation; an empty list for ``none``."""
    if norm == "batch":
        return [nn.BatchNorm2d(maps)]
    if norm in ("instance", "affine"):
        return [InstanceNorm(maps, norm == "affine")]
    return []


class InstanceNorm(nn.GroupNorm):
    """Instance norm, as group norm with a single map per group.

    For a single image whose memory format is channels last, as in the training loop, the gradients
    of `torch.nn.InstanceNorm2d` are wrong on CPUs (PyTorch 2.14): a third of their norm and more.

    Args:
        maps: of the inputs, B×maps×H×W.
        affine: whether each map has a weight and a bias.
    """

    def __init__(self, maps: int, affine: bool = False) -> None:
        super().__init__(maps, maps, affine=affine)


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution in front of the normalisation has a bias.

    One in front of weighted norms would have no effect. The authors of CycleGAN keep it in front of
    norms without weights, where it has none either, and their parameter counts include it.
    """
    return norm in ("none", "instance")


def with_maps(images: Tensor, values: Tensor) -> Tensor:
    """B×C×H×W images with B×K values as constant maps behind them: B×(C+K)×H×W."""
    maps = values.to(images)[:, :, None, None].expand(-1, -1, *images.shape[2:])
    return torch.cat([images, maps], 1)


class PatchDiscriminator(nn.Module):
    """PatchGAN: 4×4 convolutions of stride 2, then two of stride 1; a logit per patch.

    Isola et al. 2017, section 3.2.2 and appendix 6.1.2. Three layers of stride 2 are
    C64-C128-C256-C512 there, with patches of 70×70 pixels.

    Args:
        channels: of the images, with those of the condition.
        width: factor on all maps.
        layers: of stride 2.
        norm: of all layers but the first and the last.
        maps: of the first layer; each further layer has twice as many, up to eight times.
    """

    def __init__(
        self,
        channels: int,
        width: float = 1.0,
        layers: int = 3,
        norm: Norm = "instance",
        maps: int = 64,
    ) -> None:
        super().__init__()
        widths = [scaled(maps * min(8, 2**level), width) for level in range(layers + 1)]
        parts: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for level, (inner, outer) in enumerate(pairwise(widths), 1):
            stride = 2 if level < layers else 1
            parts += [
                nn.Conv2d(inner, outer, 4, stride, 1, bias=needs_bias(norm)),
                *normalisation(norm, outer),
                nn.LeakyReLU(SLOPE),
            ]
        self.layers = nn.Sequential(*parts, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """B×channels×H×W to B×h×w logits, one per patch."""
        logits: Tensor = self.layers(images)
        return logits.squeeze(1)


def kernels_of(network: nn.Module) -> list[tuple[int, int]]:
    """Kernel and stride of each convolution of a chain of layers, in order."""
    found = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    return [(layer.kernel_size[0], layer.stride[0]) for layer in found]


def receptive_field(kernels: Sequence[tuple[int, int]]) -> int:
    """Width in pixels of the patch that one output of a chain of convolutions sees.

    Args:
        kernels: kernel and stride of each, from the first to the last.
    """
    field = 1
    for kernel, stride in reversed(kernels):
        field = (field - 1) * stride + kernel
    return field


def check_patches(shape: Shape, layers: int) -> None:
    """Check that a `PatchDiscriminator` with `layers` of stride 2 suits images of `shape`.

    Raises:
        ValueError: if no patch is left, or a norm would see one number per map only.
    """
    side = min(shape[:2]) // 2**layers
    if side < 3:
        raise ValueError(
            f"found {shape[0]}×{shape[1]} images, too small for a PatchGAN with {layers} layers of "
            "stride 2 (options.layers)"
        )


def halvings_of(shape: Shape) -> int:
    """How often a U-Net halves images: as often as both sides are even, at most eight times."""
    height, width, _ = shape
    count = 0
    while count < _MOST_HALVINGS and height % 2 == 0 and width % 2 == 0:
        height, width, count = height // 2, width // 2, count + 1
    return count


class UNet(nn.Module):
    """The U-Net of pix2pix: 4×4 convolutions of stride 2, and their transposes with skips.

    Isola et al. 2017, appendix 6.1.1, for 256×256 images: encoder
    C64-C128-C256-C512-C512-C512-C512-C512, decoder CD512-CD512-CD512-C512-C256-C128-C64, then a
    transposed convolution with tanh. Smaller images have fewer of the inner layers. CD are layers
    with dropout. The first and the innermost convolution have no norm; the first version of the
    paper normalised the innermost one, which the authors' erratum removes.

    Args:
        shape: of the outputs; fixes the number of halvings, see `halvings_of`.
        inputs: channels of the inputs.
        width: factor on all maps.
        skips: whether layer i of the encoder is a further input of layer n − i of the decoder.
        norm: of the layers.
        maps: of the first layer.

    Attributes:
        noise_dim: normal numbers per image that decide the dropout.
    """

    def __init__(
        self,
        shape: Shape,
        inputs: int,
        width: float = 1.0,
        skips: bool = True,
        norm: Norm = "affine",
        maps: int = 64,
    ) -> None:
        super().__init__()
        count = halvings_of(shape)
        widths = [scaled(maps * min(8, 2**level), width) for level in range(count)]
        self.skips = skips
        self.first = nn.Conv2d(inputs, widths[0], 4, 2, 1, bias=needs_bias(norm))
        self.encoder = nn.ModuleList()
        for level, (inner, outer) in enumerate(pairwise(widths), 2):
            norms = normalisation(norm, outer) if level < count else []
            convolution = nn.Conv2d(inner, outer, 4, 2, 1, bias=needs_bias(norm))
            self.encoder.append(nn.Sequential(nn.LeakyReLU(SLOPE), convolution, *norms))
        self.decoder = nn.ModuleList()
        self.dropped: list[tuple[int, int, int]] = []
        for level in range(count - 1, 0, -1):
            outer = widths[level - 1]
            self.decoder.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(
                        self._entering(widths, level), outer, 4, 2, 1, bias=needs_bias(norm)
                    ),
                    *normalisation(norm, outer),
                )
            )
            if len(self.dropped) < _DROPPED:
                self.dropped.append((outer, shape[0] >> level, shape[1] >> level))
        self.last = nn.ConvTranspose2d(self._entering(widths, 0), shape[2], 4, 2, 1)
        self.noise_dim = sum(maps * height * width for maps, height, width in self.dropped)
        initialise(self)

    def _entering(self, widths: list[int], level: int) -> int:
        """Maps that enter the decoder's layer behind `level` (0: the last layer)."""
        innermost = level == len(widths) - 1
        return widths[level] * (2 if self.skips and not innermost else 1)

    def forward(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """B×inputs×H×W to B×C×H×W in [−1, 1].

        Args:
            images: the inputs.
            noise: B×`noise_dim`, standard normal; a unit is dropped where its number is negative.
                None: dropout by PyTorch's global generator in training, none in evaluation.
        """
        maps = [self.first(images)]
        for layer in self.encoder:
            maps.append(layer(maps[-1]))
        masks = None if noise is None else self._masks(noise)
        inner = maps.pop()
        for number, layer in enumerate(self.decoder):
            inner = layer(inner)
            if number < len(self.dropped):
                inner = (
                    F.dropout(inner, DROPOUT, self.training)
                    if masks is None
                    else inner * masks[number].to(inner)
                )
            outer = maps.pop()
            inner = torch.cat([inner, outer], 1) if self.skips else inner
        return torch.tanh(self.last(F.relu(inner)))

    def _masks(self, noise: Tensor) -> list[Tensor]:
        """0 or 2 for every unit of the layers with dropout, B×maps×h×w each."""
        sizes = [maps * height * width for maps, height, width in self.dropped]
        kept = (noise >= 0).to(noise) / (1 - DROPOUT)
        parts = torch.split(kept, sizes, 1)
        return [part.view(-1, *size) for part, size in zip(parts, self.dropped, strict=True)]


class ReflectionPad(nn.Module):
    """Mirrors B×C×H×W images at their borders, which stay single.

    It is made of slices: PyTorch's own layer has no repeatable gradient on CUDA.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to B×C×(H+2·size)×(W+2·size)."""
        near, far = slice(1, self.size + 1), slice(-self.size - 1, -1)
        rows = [images[:, :, near].flip(2), images, images[:, :, far].flip(2)]
        padded = torch.cat(rows, 2)
        columns = [padded[..., near].flip(3), padded, padded[..., far].flip(3)]
        return torch.cat(columns, 3)


class ResNetGenerator(nn.Module):
    """The residual generator of Johnson et al. 2016, as in CycleGAN and StarGAN.

    Zhu et al. 2017, appendix 7.2: c7s1-64, d128, d256, R256 six or nine times, u128, u64, c7s1-3;
    convolutions with reflection padding, instance norm and ReLU; tanh at the end.

    Args:
        inputs: channels of the inputs, with constant maps of attributes where a model has them.
        outputs: channels of the outputs.
        width: factor on all maps.
        blocks: residual blocks; nine for images of 256 pixels, six for 128.
        norm: behind every convolution but the last.
        kernel: of the convolutions of stride 2 and their transposes: 3, or 4 as in StarGAN.
        reflect: reflection padding; else zeros, as in StarGAN.
        maps: of the first layer.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: float = 1.0,
        blocks: int = 9,
        norm: Norm = "instance",
        kernel: Literal[3, 4] = 3,
        reflect: bool = True,
        maps: int = 64,
    ) -> None:
        super().__init__()
        bias = needs_bias(norm)
        first, second, third = (scaled(maps * factor, width) for factor in (1, 2, 4))
        parts = [
            *padded(nn.Conv2d(inputs, first, 7, bias=bias), reflect),
            *normalisation(norm, first),
            nn.ReLU(),
        ]
        for inner, outer in ((first, second), (second, third)):
            down = nn.Conv2d(inner, outer, kernel, 2, 1, bias=bias)
            parts += [down, *normalisation(norm, outer), nn.ReLU()]
        parts += [ResidualBlock(third, norm, reflect) for _ in range(blocks)]
        for inner, outer in ((third, second), (second, first)):
            up = nn.ConvTranspose2d(inner, outer, kernel, 2, 1, 4 - kernel, bias=bias)
            parts += [up, *normalisation(norm, outer), nn.ReLU()]
        last = nn.Conv2d(first, outputs, 7, bias=norm != "affine")  # StarGAN has none
        self.layers = nn.Sequential(*parts, *padded(last, reflect), nn.Tanh())
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """B×inputs×H×W to B×outputs×H×W in [−1, 1]; H and W are multiples of 4."""
        translated: Tensor = self.layers(images)
        return translated


class ResidualBlock(nn.Module):
    """Adds two 3×3 convolutions with a norm each to their input (Johnson et al. 2016)."""

    def __init__(self, maps: int, norm: Norm, reflect: bool = True) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *padded(nn.Conv2d(maps, maps, 3, bias=needs_bias(norm)), reflect),
            *normalisation(norm, maps),
            nn.ReLU(),
            *padded(nn.Conv2d(maps, maps, 3, bias=needs_bias(norm)), reflect),
            *normalisation(norm, maps),
        )

    def forward(self, images: Tensor) -> Tensor:
        """B×maps×H×W to the same."""
        changed: Tensor = self.layers(images)
        return images + changed


def padded(convolution: nn.Conv2d, reflect: bool) -> list[nn.Module]:
    """A convolution of stride 1, made to keep the size by padding: with reflections or zeros."""
    size = convolution.kernel_size[0] // 2
    if reflect:
        return [ReflectionPad(size), convolution]
    convolution.padding = (size, size)
    return [convolution]
