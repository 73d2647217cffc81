"""Untrained models and networks, built by the names of the registry."""

from __future__ import annotations

import torch
from torch import nn

from latent_atlas.config.registry import MODELS, NETWORKS, resolve
from latent_atlas.config.runs import Run
from latent_atlas.models.base import Autoencoder, ModelConfig, Shape
from latent_atlas.models.networks.decoder import Decoder
from latent_atlas.models.networks.layers import PUBLISHED, Layers
from latent_atlas.models.recipes import RECIPES
from latent_atlas.util.seeds import seed_for


def new_model(run: Run, shape: Shape) -> Autoencoder:
    """The untrained model of `run`; the seed is set before anything random is built."""
    torch.manual_seed(seed_for(run.seed, "weights"))
    recipe = RECIPES[run.recipe]
    config = ModelConfig(
        shape=shape,
        latent_dim=run.latent_dim,
        network=run.network,
        likelihood=run.likelihood,
        beta=run.beta,
        weights=run.loss_weights,
        options=run.options,
        layers=recipe.layers,
        kl_warm_up=recipe.kl_warm_up,
    )
    return build(run.model, config)


def build(name: str, config: ModelConfig) -> Autoencoder:
    """The untrained model `name`.

    Raises:
        KeyError: if there is no such model.
    """
    model: Autoencoder = resolve(MODELS[name].place)(config)
    return model


def new_encoder(
    name: str,
    shape: Shape,
    latent_dim: int,
    heads: int,
    layers: Layers = PUBLISHED,
    **size: float,
) -> nn.Module:
    """The encoder of network `name`: B×C×H×W images to `heads` B×latent_dim tensors.

    `size` scales the networks that can be scaled, e.g. ``width=0.5``.
    """
    entry = NETWORKS[name]
    encoder: nn.Module = resolve(entry.encoder)(
        shape, latent_dim, heads, layers=layers, **entry.size, **size
    )
    return encoder


def new_decoder(
    name: str, shape: Shape, latent_dim: int, layers: Layers = PUBLISHED, **size: float
) -> Decoder:
    """The decoder of network `name`: B×latent_dim codes to B×C×H×W outputs, unbounded."""
    entry = NETWORKS[name]
    decoder: Decoder = resolve(entry.decoder)(
        shape, latent_dim, layers=layers, **entry.size, **size
    )
    return decoder
