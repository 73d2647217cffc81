"""Training by pythae, with its own trainer on the same networks and data (extra `bench`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

from latent_atlas.data.store import open_store
from latent_atlas.models.base import Shape
from latent_atlas.models.fast_ops import UpConvolution
from latent_atlas.models.networks.conv import ConvDecoder, ConvEncoder


def train_with_pythae(
    store: Path, latent_dim: int, batch_size: int, folder: Path, plain: bool
) -> None:
    """Train pythae's VAE with its trainer's default settings, except for the batch size.

    Args:
        store: a folder with an image store, which pythae holds as float32 in memory.
        latent_dim: number of latents.
        batch_size: images per step.
        folder: folder for the files that pythae writes.
        plain: use PyTorch's own transposed convolutions, as users of pythae would, instead of our
            faster equivalent.
    """
    opened = open_store(store)
    height, width, channels = shape = opened.shape
    images = opened.images[opened.rows("train")].transpose(0, 3, 1, 2)
    data = BaseDataset(torch.from_numpy(images.astype(np.float32) / 255), torch.ones(len(images)))
    config = VAEConfig(
        input_dim=(channels, height, width), latent_dim=latent_dim, reconstruction_loss="bce"
    )
    trainer = BaseTrainer(
        VAE(config, _Encoder(shape, latent_dim), _Decoder(shape, latent_dim, plain)),
        train_dataset=data,
        training_config=BaseTrainerConfig(
            output_dir=str(folder), per_device_train_batch_size=batch_size, num_epochs=10**6
        ),
    )
    trainer.train()


class _Encoder(BaseEncoder):  # type: ignore[misc] # pythae is not typed
    def __init__(self, shape: Shape, latent_dim: int) -> None:
        super().__init__()
        self.network = ConvEncoder(shape, latent_dim, heads=2)

    def forward(self, images: Tensor) -> ModelOutput:
        mean, log_variance = self.network(images)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class _Decoder(BaseDecoder):  # type: ignore[misc]
    def __init__(self, shape: Shape, latent_dim: int, plain: bool) -> None:
        super().__init__()
        self.network = ConvDecoder(shape, latent_dim)
        if plain:
            layers = self.network.convolutions
            self.network.convolutions = nn.ModuleList(_plain(layer) for layer in layers)

    def forward(self, codes: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=torch.sigmoid(self.network(codes)))


def _plain(layer: nn.Module) -> nn.Module:
    """The equivalent layer of PyTorch."""
    if not isinstance(layer, UpConvolution):
        return layer
    inner, outer = layer.weight.shape[:2]
    plain = nn.ConvTranspose2d(inner, outer, 5, stride=2, padding=2, output_padding=1)
    plain.load_state_dict(layer.state_dict())
    return plain
