"""Conversion between stored pixels and the tensors that models see."""

from __future__ import annotations

import torch
from torch import Tensor


def to_images(pixels: Tensor) -> Tensor:
    """uint8 B×H×W×C, as stores hold them, to float32 B×C×H×W in [0, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def to_pixels(images: Tensor) -> Tensor:
    """Float B×C×H×W in [0, 1] to uint8 B×H×W×C, by clipping and rounding."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
