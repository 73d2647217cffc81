"""Hand-written operations that are faster on a CPU than their plain formulas.

Each computes what its docstring states; the tests compare it with that plain formula in PyTorch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class BernoulliLoss(torch.autograd.Function):
    """Binary cross-entropy of logits o against images x in [0, 1], summed per image.

    Plain formula: ``F.binary_cross_entropy_with_logits(o, x, reduction="none").flatten(1).sum(1)``,
    that is Σ softplus(o) − o·x, with the gradient σ(o) − x. PyTorch's own takes half of the time of
    a small training step.

    softplus(o) = max(o, 0) − log σ(|o|) does not overflow. A sum of logarithms is the logarithm of
    a product: σ(|o|) is at least ½, so that a product of 64 factors is no less than 2^−64.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, images: Tensor) -> Tensor:
        """B×C×H×W each, float32 or wider, to B nats."""
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
        """The gradient of the logits; images have none."""
        mean, images = ctx.saved_tensors
        return mean.sub(images).mul_(gradient.view(-1, 1, 1, 1)), None


class UpConvolution(nn.ConvTranspose2d):
    """A 5×5 transposed convolution of stride 2 that doubles height and width.

    Plain formula: ``nn.ConvTranspose2d(inner, outer, 5, stride=2, padding=2, output_padding=1)``,
    with the same parameters.

    Each of the four output pixels of an input pixel depends on at most nine of the 25 weights. Four
    ordinary 3×3 convolutions side by side, and a shuffle of their outputs, give the same numbers
    (Shi et al. 2016, section 3.2). On a CPU this is faster in bfloat16, and in float32 with up to
    four output channels. In all other cases the plain formula is used.
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
        # Stacking two halves is faster than one transposition, whose gradient is copied in short
        # runs.
        rows = torch.stack(parts.chunk(2, 3), 2)
        return rows.view(size, 2 * height, 2 * width, outer).permute(0, 3, 1, 2)


def _flat(images: Tensor) -> Tensor:
    """B×C×H×W to B×(C·H·W), in the order of memory if that is channels first or last."""
    last = images.is_contiguous(memory_format=torch.channels_last)
    return images.permute(0, 2, 3, 1).flatten(1) if last else images.flatten(1)
