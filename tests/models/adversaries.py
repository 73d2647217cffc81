"""Small models, batches and gradients for the tests of models with several phases."""

from __future__ import annotations

import torch

from latent_atlas.config.registry import options_of
from latent_atlas.models.base import Autoencoder, Batch, ModelConfig
from latent_atlas.models.build import build


def small_model(name: str, latent_dim: int = 4, size: int = 32, **options: object) -> Autoencoder:
    torch.manual_seed(0)
    config = ModelConfig(
        shape=(size, size, 3),
        latent_dim=latent_dim,
        network="conv4_quarter",
        likelihood="gaussian",
        beta=0.4,
        weights={"reconstruction": 1.0},
        options=options_of(name).model_validate(options),
    )
    return build(name, config)


def sample(model: Autoencoder, images: int = 6, size: int = 32) -> Batch:
    generator = torch.Generator().manual_seed(1)
    return Batch(
        torch.rand(images, 3, size, size, generator=generator),
        torch.randn(images, model.noise_dim, generator=generator),
        torch.arange(images) % 2,
    )


def reached(model: Autoencoder, batch: Batch, phase: str) -> set[str]:
    """The parts whose weights have a gradient of the loss of `phase`."""
    model.zero_grad(set_to_none=True)
    model(batch, phase)[model.phases()[phase].loss].sum().backward()
    return {
        name.split(".")[0]
        for name, weight in model.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }
