"""Base classes of the decoders."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from latent_atlas.models.networks.layers import Layers


class Decoder(nn.Module, ABC):
    """From codes to outputs, the unbounded parameters of a `Likelihood`."""

    @abstractmethod
    def start_at(self, outputs: Tensor) -> None:
        """Set biases so that the untrained decoder's output is about `outputs`, C×H×W."""


class TransposedDecoder(Decoder):
    """A linear layer to small maps, then transposed convolutions, with activations between them.

    A subclass adds the convolutions. No activation follows the last one: the outputs are the
    parameters of a `Likelihood`.

    Args:
        latent_dim: numbers in a code.
        start: channels, height and width of the maps that the convolutions begin with.
    """

    def __init__(self, latent_dim: int, start: tuple[int, int, int]) -> None:
        super().__init__()
        self._start = start
        self.linear = nn.Linear(latent_dim, math.prod(start))

    def add(self, convolutions: Sequence[nn.ConvTranspose2d], layers: Layers) -> None:
        """Add the convolutions, and initialise all layers."""
        self.convolutions = nn.ModuleList(convolutions)
        self.activate = layers.activate
        layers.initialise(self.linear, *convolutions)

    def forward(self, codes: Tensor) -> Tensor:
        """B×latent_dim codes to B×C×H×W outputs, unbounded."""
        hidden = self.linear(codes).view(-1, *self._start)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions:
            hidden = convolution(self.activate(hidden))
        return hidden

    @torch.no_grad()
    def start_at(self, outputs: Tensor) -> None:
        """Set the last biases to the mean of `outputs`, C×H×W, per channel."""
        self.convolutions[-1].get_parameter("bias").copy_(outputs.mean((1, 2)))
