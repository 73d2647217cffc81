"""The fully connected network of the MNIST VAE project, for any image size.

`layers` has no effect: with two layers a side, He initialisation and SiLU were measured worse than
PyTorch's weights and tanh (docs/results/recipe.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from latent_atlas.models.base import Shape
from latent_atlas.models.networks.decoder import Decoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers


class MlpEncoder(nn.Module):
    """A linear layer with tanh, then linear heads."""

    def __init__(
        self,
        shape: Shape,
        latent_dim: int,
        heads: int,
        hidden: int = 500,
        layers: Layers = PUBLISHED,
    ) -> None:
        super().__init__()
        height, width, channels = shape
        self.hidden = nn.Linear(height * width * channels, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, latent_dim) for _ in range(heads))

    def forward(self, images: Tensor) -> list[Tensor]:
        """B×C×H×W images to one B×latent_dim tensor per head."""
        features = torch.tanh(self.hidden(images.flatten(1)))
        return [head(features) for head in self.heads]


class MlpDecoder(Decoder):
    """A linear layer with tanh, then a linear one."""

    def __init__(
        self, shape: Shape, latent_dim: int, hidden: int = 500, layers: Layers = PUBLISHED
    ) -> None:
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
        """Set the last biases to `outputs`, C×H×W."""
        self.outputs.bias.copy_(outputs.flatten())
