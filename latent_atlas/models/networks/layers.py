"""Layers of the networks: initial weights, normalisation and activation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8
"""Groups of channels that are normalised together; fewer where 8 does not divide the channels."""

_LEAST_VARIANCE = 1e-4
"""Added to every variance: that of 2.5 of 255 levels."""

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class Layers:
    """The kind of a network's layers; by default those of the published networks.

    Attributes:
        he: initial weights that preserve the variance of the inputs (He et al. 2015); else
            PyTorch's own, which divide the variance by about six in each layer.
        normalised: group normalisation before each activation of an encoder's maps (Wu & He
            2018). Decoders have none: it would take brightness and size from sparse maps.
        smooth: SiLU (Elfwing et al. 2018) in place of ReLU.
        decorrelated: an encoder's inputs have decorrelated channels, see `Decorrelation`.
        maps: smallest number of feature maps in a layer of the network ``conv``; its published
            ones are as few as 8.
    """

    he: bool = False
    normalised: bool = False
    smooth: bool = False
    decorrelated: bool = False
    maps: int = 0

    @property
    def activate(self) -> Callable[[Tensor], Tensor]:
        """The activation alone."""
        return F.silu if self.smooth else F.relu

    def activation(self, channels: int) -> nn.Module:
        """Normalisation, if any, and activation of the `channels` outputs of an encoder's layer."""
        if not self.normalised:
            return nn.SiLU() if self.smooth else nn.ReLU()
        norm = nn.GroupNorm(math.gcd(GROUPS, channels), channels)
        return nn.Sequential(norm, nn.SiLU() if self.smooth else nn.ReLU())

    def inputs(self, channels: int) -> nn.Module:
        """What an encoder does first with its images."""
        return Decorrelation(channels) if self.decorrelated else nn.Identity()

    def initialise(self, *layers: nn.Module) -> None:
        """Draw the initial weights of layers, unless PyTorch's stay.

        The last layer of a decoder is among them: with small weights there, all channels of an
        image first learn the same, and the colours much later.
        """
        for layer in layers:
            if self.he and isinstance(layer, _LAYERS):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


class Decorrelation(nn.Module):
    """Images whose channels are decorrelated, with mean 0 and variance 1 over training images.

    The channels of photographs are nearly the same. Without this, an encoder first sees brightness
    alone, and hues, which differ little, much later. The matrix is the symmetric inverse root of
    the covariance (ZCA; Kessy et al. 2018); it is fixed, and part of the checkpoint.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("matrix", torch.eye(channels))

    def fit(self, mean: Tensor, covariance: Tensor) -> None:
        """Set mean (C) and matrix from the statistics of pixels in [0, 1]; covariance is C×C."""
        values, vectors = torch.linalg.eigh(covariance.double())
        scales = (values.clamp_min(0) + _LEAST_VARIANCE).rsqrt()
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("matrix").copy_(vectors * scales @ vectors.T)

    def forward(self, images: Tensor) -> Tensor:
        """B×C×H×W to the same."""
        offset = -self.get_buffer("matrix") @ self.get_buffer("mean")
        weight = self.get_buffer("matrix")[:, :, None, None]
        return F.conv2d(images, weight.to(images.dtype), offset.to(images.dtype))


PUBLISHED = Layers()
"""PyTorch's initial weights, ReLU, no normalisation."""
