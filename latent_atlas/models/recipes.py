"""Recipes: how a model is initialised, normalised, activated and how its learning rate changes.

``published`` has the layers of the documents and a constant rate. ``modern`` learns more from as
many images: the parts and what each is worth are in docs/results/recipe.md. The learning rate and
the batch size of a recipe are in params.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

from latent_atlas.config.section import RecipeName
from latent_atlas.models.networks.layers import PUBLISHED, Layers


@dataclass(frozen=True)
class Recipe:
    """All of a recipe but the learning rate and the batch size.

    Attributes:
        layers: of encoder and decoder.
        warm_up: share of the steps in which the learning rate rises linearly from 0.
        decay: share of the steps, the last ones, in which it falls linearly to 0 (Hägele et al.
            2024).
        kl_warm_up: share of the training in which the weight of a VAE's KL rises from 0 to β.
        beta2: β₂ of Adam, of phases that set none. A smaller one forgets the gradients from before
            a plateau sooner.
    """

    layers: Layers = PUBLISHED
    warm_up: float = 0.0
    decay: float = 0.0
    kl_warm_up: float = 0.0
    beta2: float = 0.999

    def rate(self, done: float) -> float:
        """The factor on the learning rate after the share `done` of the steps, in [0, 1]."""
        rising = done / self.warm_up if self.warm_up else 1.0
        falling = (1 - done) / self.decay if self.decay else 1.0
        return min(1.0, rising, falling)


RECIPES: dict[RecipeName, Recipe] = {
    "modern": Recipe(
        Layers(he=True, normalised=True, smooth=True, decorrelated=True, maps=16),
        warm_up=0.1,
        decay=0.4,
        kl_warm_up=0.2,
        beta2=0.98,
    ),
    "published": Recipe(),
}
