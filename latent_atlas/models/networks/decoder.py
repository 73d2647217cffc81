"""Base classes of the decoders."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Decoder(nn.Module):
    """From codes to outputs, the unbounded parameters of a `Likelihood`."""

    def start_at(self, outputs: Tensor) -> None:
        """Set biases so that the untrained decoder's output is about `outputs`, C×H×W."""
        raise NotImplementedError


class TransposedDecoder(Decoder):
    """A linear layer with ReLU to small maps, then transposed convolutions with ReLU between them.

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
        """Set the last biases to the mean of `outputs`, C×H×W, per channel."""
        self.convolutions[-1].get_parameter("bias").copy_(outputs.mean((1, 2)))
