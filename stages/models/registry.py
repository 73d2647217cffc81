"""The names of models and networks in params.yaml; a new one adds a file beside this and a line.

Names are resolved only when a model is built, so that params.yaml is validated without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from stages.models.base import Model, Recipe, Shape
    from stages.models.networks import Decoder

Option = bool | int | float | str


class ModelEntry(NamedTuple):
    """A model's line.

    Attributes:
        place: file in this folder and class in that file.
        beta: the β that makes the model what its name says; None if β is a knob.
        weights: the terms of its loss that ``loss_weights`` weighs.
        options: its knobs beyond those of every model, with their defaults.
    """

    place: str
    beta: float | None
    weights: tuple[str, ...] = ("generation",)
    options: Mapping[str, Option] = {}


class NetworkEntry(NamedTuple):
    """A network's line: places of encoder and decoder, and what must divide height and width."""

    encoder: str
    decoder: str
    multiple: int = 1


MODELS = {
    "ae": ModelEntry("ae:AE", beta=0.0),
    "sampled_ae": ModelEntry("vae:VAE", beta=0.0),
    "vae": ModelEntry("vae:VAE", beta=1.0),
    "beta_vae": ModelEntry("vae:VAE", beta=None),
}

NETWORKS = {
    "conv": NetworkEntry("networks:ConvEncoder", "networks:ConvDecoder", multiple=32),
    "mlp": NetworkEntry("networks:MlpEncoder", "networks:MlpDecoder"),
}


def build(name: str, recipe: Recipe) -> Model:
    """The untrained model `name`.

    Raises:
        KeyError: if there is no such model.
    """
    model: Model = _at(MODELS[name].place)(recipe)
    return model


def new_encoder(name: str, shape: Shape, latent_dim: int, heads: int) -> nn.Module:
    """The encoder of network `name`: B×C×H×W images to `heads` B×latent_dim tensors."""
    encoder: nn.Module = _at(NETWORKS[name].encoder)(shape, latent_dim, heads)
    return encoder


def new_decoder(name: str, shape: Shape, latent_dim: int) -> Decoder:
    """The decoder of network `name`: B×latent_dim codes to B×C×H×W outputs, unbounded."""
    decoder: Decoder = _at(NETWORKS[name].decoder)(shape, latent_dim)
    return decoder


def _at(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"stages.models.{module}"), name)
