"""Training by pythae, with its own trainer on the same networks and data (extra `bench`)."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor, nn

from latent_atlas.data.store import Store, open_store
from latent_atlas.models.base import Shape
from latent_atlas.models.fast_ops import UpConvolution
from latent_atlas.models.networks.conv import ConvDecoder, ConvEncoder

_VALIDATION_BATCH = 200


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
    images = _images(opened, "train")
    trainer = BaseTrainer(
        _model(opened.shape, latent_dim, plain),
        train_dataset=BaseDataset(images, torch.ones(len(images))),
        training_config=BaseTrainerConfig(
            output_dir=str(folder), per_device_train_batch_size=batch_size, num_epochs=10**6
        ),
    )
    trainer.train()


def train_to_loss(
    store: Path, latent_dim: int, folder: Path, epochs: int, loss: float
) -> tuple[float, float]:
    """Train pythae's VAE, with its trainer's defaults and PyTorch's layers, to a validation loss.

    Returns:
        Seconds of training, without validation, and the best validation reconstruction loss in
        nats per image. The training ends at `loss`, or after `epochs`.
    """
    opened = open_store(store)
    model = _model(opened.shape, latent_dim, plain=True)
    watch = _Watch(model, _images(opened, "valid"), loss)
    config = BaseTrainerConfig(output_dir=str(folder), num_epochs=epochs)
    train = _images(opened, "train")
    data = BaseDataset(train, torch.ones(len(train)))
    with suppress(_ReachedError):
        BaseTrainer(model, data, training_config=config, callbacks=[watch]).train()
    return watch.seconds, watch.best


class _ReachedError(Exception):
    """The loss is reached."""


class _Watch(TrainingCallback):  # type: ignore[misc]
    """Validates after every epoch, and ends the training when the loss is reached."""

    def __init__(self, model: VAE, images: Tensor, loss: float) -> None:
        self.model, self.images, self.loss = model, images, loss
        self.seconds, self.best, self.started = 0.0, math.inf, 0.0

    def on_epoch_begin(self, training_config: object, **_: object) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, training_config: object, **_: object) -> None:
        self.seconds += time.perf_counter() - self.started
        self.best = min(self.best, self._validate())
        if self.best <= self.loss:
            raise _ReachedError

    @torch.no_grad()
    def _validate(self) -> float:
        self.model.eval()
        total = 0.0
        for start in range(0, len(self.images), _VALIDATION_BATCH):
            part = self.images[start : start + _VALIDATION_BATCH]
            total += float(self.model({"data": part}).recon_loss) * len(part)
        self.model.train()
        return total / len(self.images)


def _images(store: Store, split: str) -> Tensor:
    """The images of a split, float32 N×C×H×W in [0, 1]."""
    images = store.images[store.rows(split)].transpose(0, 3, 1, 2)
    return torch.from_numpy(images.astype(np.float32) / 255)


def _model(shape: Shape, latent_dim: int, plain: bool) -> VAE:
    height, width, channels = shape
    config = VAEConfig(
        input_dim=(channels, height, width), latent_dim=latent_dim, reconstruction_loss="bce"
    )
    return VAE(config, _Encoder(shape, latent_dim), _Decoder(shape, latent_dim, plain))


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
