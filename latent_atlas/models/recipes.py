"""Recipes: how a model is initialised, normalised, activated and how its learning rate changes.

``published`` has the layers of the documents and a constant rate. ``modern`` learns more from as
many images: the parts and what each is worth are in docs/results/recipe.md. The learning rate and
the batch size of a recipe are in params.yaml.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from latent_atlas.config.section import RecipeName
from latent_atlas.models.networks.layers import PUBLISHED, Layers


@dataclass(frozen=True)
class Recipe:
    """All of a recipe but the learning rate and the batch size.

    Attributes:
        layers: of encoder and decoder.
        cosine: whether the learning rate rises linearly and then falls to 0 along half a cosine
            (Loshchilov & Hutter 2017, without restarts); else it is constant.
        warm_up: share of the steps in which it rises.
        kl_warm_up: share of the training in which the weight of a VAE's KL rises from 0 to β.
    """

    layers: Layers = PUBLISHED
    cosine: bool = False
    warm_up: float = 0.1
    kl_warm_up: float = 0.0

    def rate(self, done: float) -> float:
        """The factor on the learning rate after the share `done` of the steps, in [0, 1]."""
        if not self.cosine:
            return 1.0
        if done < self.warm_up:
            return done / self.warm_up
        return (1 + math.cos(math.pi * (done - self.warm_up) / (1 - self.warm_up))) / 2


RECIPES: dict[RecipeName, Recipe] = {
    "modern": Recipe(Layers(he=True, normalised=True, smooth=True), cosine=True, kl_warm_up=0.2),
    "published": Recipe(),
}
