"""Networks and likelihoods that several models share."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from latent_atlas.models.base import Shape

_CHANNELS = (8, 16, 32, 64, 128)


class Decoder(nn.Module):
    """Codes to outputs, the unbounded parameters of a `Likelihood`."""

    def start_at(self, outputs: Tensor) -> None:
        """Let the untrained decoder put out about `outputs`, C×H×W."""
        raise NotImplementedError


class TransposedDecoder(Decoder):
    """Linear with ReLU to small maps, then transposed convolutions with ReLU between them.

    A subclass sets `convolutions`. No activation follows the last one: the outputs are the
    parameters of a `Likelihood`.

    Args:
        latent_dim: numbers in a code.
        start: channels, height and width of the maps that the convolutions begin with.
    """

    convolutions: nn.ModuleList

    def __init__(self, latent_dim: int, start: tuple[int, int, int]) -> None:
        super().__init__()
        self._start = start
        self.linear = nn.Linear(latent_dim, math.prod(start))

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        hidden = F.relu(self.linear(codes)).view(-1, *self._start)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        *inner, last = self.convolutions
        for convolution in inner:
            hidden = F.relu(convolution(hidden))
        outputs: Tensor = last(hidden)
        return outputs

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Let the untrained decoder put out about `outputs`, C×H×W: their mean a channel."""
        self.convolutions[-1].get_parameter("bias").copy_(outputs.mean((1, 2)))


class ConvEncoder(nn.Module):
    """Five 5×5 convolutions of stride 2 with ReLU, 8-16-32-64-128 channels, then linear heads.

    Source: fashion VAE thesis, table 4.1; 96×64 images give 3×2×128 = 768 features.

    Args:
        shape: height and width divisible by 32, any number of channels.
        heads: how many outputs of `latent_dim` numbers, e.g. 2 for mean and log-variance.
    """

    def __init__(self, shape: Shape, latent_dim: int, heads: int) -> None:
        super().__init__()
        height, width, channels = _divisible_by_32(shape)
        widths = (channels, *_CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inner, outer, 5, stride=2, padding=2) for inner, outer in pairwise(widths)
        )
        features = _CHANNELS[-1] * (height // 32) * (width // 32)
        self.heads = nn.ModuleList(nn.Linear(features, latent_dim) for _ in range(heads))

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor a head."""
        hidden = images
        for convolution in self.convolutions:
            hidden = F.relu(convolution(hidden))
        features = hidden.flatten(1)
        return [head(features) for head in self.heads]


class UpConvolution(nn.ConvTranspose2d):
    """A 5×5 transposed convolution of stride 2, where it pays computed as a 3×3 one and a shuffle.

    Of the 25 weights, each of the four output pixels of an input pixel sees at most nine; four
    ordinary convolutions side by side (Shi et al. 2016, section 3.2) give the same numbers. On a
    CPU they are faster in bfloat16, and in float32 where the output has few channels.
    """

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__(inner, outer, 5, stride=2, padding=2, output_padding=1)

    def forward(self, hidden: Tensor, output_size: list[int] | None = None) -> Tensor:
        """B×inner×H×W to B×outer×2H×2W."""
        inner, outer = self.weight.shape[:2]
        if hidden.dtype != torch.bfloat16 and outer > 4:
            return super().forward(hidden)
        bias = self.get_parameter("bias")
        # Weight 2i + p of an axis serves output phase p from the input i − 1 pixels before it.
        phases = F.pad(self.weight, (0, 1, 0, 1)).view(inner, outer, 3, 2, 3, 2).flip(2, 4)
        weight = phases.permute(3, 5, 1, 0, 2, 4).reshape(4 * outer, inner, 3, 3)
        weight = weight.contiguous(memory_format=torch.channels_last)
        parts = F.conv2d(hidden, weight, bias.repeat(4), padding=1).permute(0, 2, 3, 1)
        size, height, width, _ = parts.shape
        # Two halves stacked, not one transposition: its gradient would be copied in tiny runs.
        rows = torch.stack(parts.chunk(2, 3), 2)
        return rows.view(size, 2 * height, 2 * width, outer).permute(0, 3, 1, 2)


class ConvDecoder(TransposedDecoder):
    """The mirror of `ConvEncoder`: linear with ReLU, then five transposed convolutions.

    Source: fashion VAE thesis, table 4.2.
    """

    def __init__(self, shape: Shape, latent_dim: int) -> None:
        height, width, channels = _divisible_by_32(shape)
        super().__init__(latent_dim, (_CHANNELS[-1], height // 32, width // 32))
        widths = (*_CHANNELS[::-1], channels)
        *deep, first, second, last = pairwise(widths)
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(inner, outer, 5, stride=2, padding=2, output_padding=1)
            for inner, outer in deep
        ).extend(UpConvolution(inner, outer) for inner, outer in (first, second, last))


class MlpEncoder(nn.Module):
    """A linear layer with tanh, then linear heads. Source: MNIST VAE project; any image size."""

    def __init__(self, shape: Shape, latent_dim: int, heads: int, hidden: int = 500) -> None:
        super().__init__()
        height, width, channels = shape
        self.hidden = nn.Linear(height * width * channels, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, latent_dim) for _ in range(heads))

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor a head."""
        features = torch.tanh(self.hidden(images.flatten(1)))
        return [head(features) for head in self.heads]


class MlpDecoder(Decoder):
    """A linear layer with tanh, then a linear one. Source: MNIST VAE project; any image size."""

    def __init__(self, shape: Shape, latent_dim: int, hidden: int = 500) -> None:
        super().__init__()
        height, width, channels = shape
        self._image = (channels, height, width)
        self.hidden = nn.Linear(latent_dim, hidden)
        self.outputs = nn.Linear(hidden, height * width * channels)

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        outputs: Tensor = self.outputs(torch.tanh(self.hidden(codes)))
        return outputs.view(-1, *self._image)

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Let the untrained decoder put out about `outputs`, C×H×W."""
        self.outputs.bias.copy_(outputs.flatten())


class Likelihood(NamedTuple):
    """A decoder's distribution over images, given its unbounded outputs.

    Attributes:
        loss: (outputs, images), both B×C×H×W → B negative log-likelihoods, summed over pixels and
            channels, up to a constant.
        mean: outputs → the expected image in [0, 1].
        inverse: an image in [0, 1] → outputs with about this mean, all finite.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    mean: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


class _BernoulliLoss(torch.autograd.Function):
    """Σ softplus(o) − o·x with its gradient σ(o) − x; PyTorch's own takes half of a small step.

    softplus(o) = max(o, 0) − log σ(|o|), where nothing overflows. A sum of logarithms is the
    logarithm of a product: σ(|o|) is at least ½, so that of 64 factors is no less than 2^−64.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, images: Tensor) -> Tensor:
        mean = torch.sigmoid(logits)
        ctx.save_for_backward(mean, images)
        factors = _flat(mean.sub(0.5).abs_().add_(0.5))  # σ(|o|)
        count = factors.shape[1]
        group = max(size for size in range(1, 65) if count % size == 0)
        logs = factors.view(-1, group, count // group).prod(1).log_().sum(1)
        return logits.clamp_min(0).addcmul_(logits, images, value=-1).sum((1, 2, 3)).sub_(logs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        mean, images = ctx.saved_tensors
        return mean.sub(images).mul_(gradient.view(-1, 1, 1, 1)), None


def _flat(images: Tensor) -> Tensor:
    """B×C×H×W to B×(C·H·W), in the order of memory if that is channels first or last."""
    last = images.is_contiguous(memory_format=torch.channels_last)
    return images.permute(0, 2, 3, 1).flatten(1) if last else images.flatten(1)


def bernoulli_loss(outputs: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy of logits o against x in [0, 1]: Σ softplus(o) − o·x, an image each.

    Computed in float32 or wider, whatever the networks' precision.
    """
    logits = outputs if outputs.dtype == torch.float64 else outputs.float()
    loss: Tensor = _BernoulliLoss.apply(logits, images)
    return loss


def gaussian_loss(outputs: Tensor, images: Tensor) -> Tensor:
    """½ Σ (o − x)², an image each: unit variance, without the constant ½ log 2π a pixel."""
    return (outputs.float() - images).square().flatten(1).sum(1) / 2


LIKELIHOODS = {
    "bernoulli": Likelihood(
        bernoulli_loss, torch.sigmoid, lambda images: torch.logit(images, eps=1 / 256)
    ),
    "gaussian": Likelihood(
        gaussian_loss, lambda outputs: outputs.clamp(0, 1), lambda images: images
    ),
}


def _divisible_by_32(shape: Shape) -> Shape:
    height, width, _ = shape
    if height % 32 or width % 32 or min(height, width) < 32:
        raise ValueError(
            f"the conv network halves an image five times, so height and width must be multiples "
            f"of 32; found {height}×{width}"
        )
    return shape
