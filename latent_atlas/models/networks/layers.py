"""Layers of the networks: initial weights, normalisation and activation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8
"""Groups of channels that are normalised together; fewer where 8 does not divide the channels."""

_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class Layers:
    """The kind of a network's layers; by default those of the published networks.

    Attributes:
        he: initial weights that preserve the variance of the inputs (He et al. 2015); else
            PyTorch's own, which divide the variance by about six in each layer.
        normalised: group normalisation before each activation of a map (Wu & He 2018).
        smooth: SiLU (Elfwing et al. 2018) in place of ReLU.
    """

    he: bool = False
    normalised: bool = False
    smooth: bool = False

    @property
    def activate(self) -> Callable[[Tensor], Tensor]:
        """The activation alone."""
        return F.silu if self.smooth else F.relu

    def activation(self, channels: int) -> nn.Module:
        """Normalisation, if any, and activation behind a layer with `channels` outputs."""
        active = nn.SiLU() if self.smooth else nn.ReLU()
        if not self.normalised:
            return active
        return nn.Sequential(nn.GroupNorm(math.gcd(GROUPS, channels), channels), active)

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


PUBLISHED = Layers()
"""PyTorch's initial weights, ReLU, no normalisation."""
