"""The names of the models in params.yaml; a new model adds a file beside this one and a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stages.models.ae import AE
from stages.models.base import Model
from stages.models.networks import Shape
from stages.models.vae import VAE


@dataclass(frozen=True)
class Recipe:
    """What a model is built from: the shape of its images and its run's parameters."""

    shape: Shape
    latent_dim: int
    network: str
    likelihood: str
    beta: float
    generation_weight: float


def _ae(recipe: Recipe) -> Model:
    r = recipe
    return AE(r.shape, r.latent_dim, r.network, r.likelihood, r.generation_weight)


def _vae(recipe: Recipe) -> Model:
    r = recipe
    return VAE(r.shape, r.latent_dim, r.network, r.likelihood, r.beta, r.generation_weight)


MODELS: dict[str, Callable[[Recipe], Model]] = {
    "ae": _ae,
    "sampled_ae": _vae,
    "vae": _vae,
    "beta_vae": _vae,
}
