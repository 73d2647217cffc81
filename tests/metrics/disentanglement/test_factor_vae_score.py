"""FactorVAE score: collapsed latents, scales, and the majority vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latent_atlas.metrics.disentanglement import REFERENCE, Kind, Sample
from latent_atlas.metrics.disentanglement.factor_vae_score import factor_vae_score
from latent_atlas.metrics.disentanglement.sample import Floats, standardise
from tests.metrics.disentanglement import DISCRETE

SETTINGS = replace(REFERENCE, train=1000, test=1000)


def score(codes: Floats, factors: Floats, kinds: list[Kind], votes: int = 1000) -> float:
    sample = Sample.of(codes, factors, kinds)
    return factor_vae_score(sample, replace(SETTINGS, train=votes), seed=0)


def test_collapsed_latents_do_not_vote() -> None:
    # The third latent varies least in every batch; if it voted, the score would be chance.
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(2000, 2)).astype(float)
    codes = np.column_stack([factors, 0.049 * np.sign(rng.standard_normal(2000))])
    codes[:5, 2] *= 0
    assert score(codes, factors, DISCRETE) == 1.0
    assert score(0.01 * codes, factors, DISCRETE) == 0.0
    assert score(0.051 * standardise(factors, factors), factors, DISCRETE) == 1.0


def test_latents_vote_relative_to_their_own_scale() -> None:
    factors = np.random.default_rng(0).random((2000, 2))
    assert score(factors * [100.0, 1.0], factors, ["continuous"] * 2) == 1.0


def test_the_majority_of_training_votes_is_scored_on_other_votes() -> None:
    # After one training vote, all latents but one predict the first of twelve factors.
    factors = np.random.default_rng(0).random((2000, 12))
    kinds: list[Kind] = ["continuous"] * 12
    assert score(factors, factors, kinds, votes=1) < 3 / 12
    assert score(factors, factors, kinds, votes=1000) == 1.0
