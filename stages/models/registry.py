"""The names of the models in params.yaml; a new model adds a file beside this one and a line.

Names are resolved only when a model is built, so that params.yaml is validated without PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.models.base import Model, Recipe

MODELS = {
    "ae": "ae:AE",
    "sampled_ae": "vae:VAE",
    "vae": "vae:VAE",
    "beta_vae": "vae:VAE",
}
"""Name → file in this folder and class in that file."""


def build(name: str, recipe: Recipe) -> Model:
    """The untrained model `name`.

    Raises:
        KeyError: if there is no such model.
    """
    module, _, cls = MODELS[name].partition(":")
    model: Model = getattr(import_module(f"stages.models.{module}"), cls)(recipe)
    return model
