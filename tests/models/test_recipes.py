"""Recipes: rates, and models built of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from latent_atlas.config.runs import Run
from latent_atlas.models.base import Batch
from latent_atlas.models.build import new_model
from latent_atlas.models.recipes import RECIPES, Recipe
from latent_atlas.models.vae import VAE
from tests.models.test_models import config


def test_the_published_rate_is_constant() -> None:
    assert {RECIPES["published"].rate(done / 10) for done in range(11)} == {1.0}


def test_a_rate_that_rises_stays_and_falls() -> None:
    recipe = Recipe(warm_up=0.2, decay=0.4)
    assert recipe.rate(0.0) == 0
    assert recipe.rate(0.1) == pytest.approx(0.5)
    assert {recipe.rate(done) for done in (0.2, 0.4, 0.6)} == {1.0}
    assert recipe.rate(0.8) == pytest.approx(0.5)
    assert recipe.rate(1.0) == 0


def test_published_weights_have_no_other_names(make_run: Callable[..., Run]) -> None:
    keys = new_model(make_run(recipe="published"), (32, 32, 3)).state_dict()
    assert not [key for key in keys if "activation" in key]
    modern = new_model(make_run(recipe="modern"), (32, 32, 3)).state_dict()
    assert set(keys) < set(modern)


def test_the_weight_of_the_kl_rises_in_training_only() -> None:
    model = VAE(config(beta=4.0, kl_warm_up=0.5))
    images, noise = torch.rand(2, 3, 32, 32), torch.randn(2, model.noise_dim)
    labels = torch.zeros(2, dtype=torch.int64)

    def weight(progress: float) -> float:
        terms = model(Batch(images, noise, labels, progress))
        share = (terms["loss"] - terms["reconstruction"]) / terms["kl"]
        return float(share.mean().detach())

    assert [weight(done) for done in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0, 2, 4, 4], abs=0.1)
    model.eval()
    assert weight(0.0) == pytest.approx(4, abs=0.1)
