"""β-VAE score: the identity and a code without information."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.beta_vae_score import beta_vae_score
from tests.metrics.disentanglement import DISCRETE

SETTINGS = replace(REFERENCE, train=1000, test=1000)


def test_beta_vae_score_of_the_factors_is_high_and_of_noise_is_chance() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(6, size=(2000, 2)).astype(float)
    assert beta_vae_score(Sample.of(factors, factors, DISCRETE), SETTINGS, seed=0) > 0.99
    noise = Sample.of(rng.standard_normal((2000, 2)), factors, DISCRETE)
    assert beta_vae_score(noise, SETTINGS, seed=0) == pytest.approx(0.5, abs=0.05)


def test_beta_vae_score_of_a_single_factor_is_refused() -> None:
    values = np.random.default_rng(0).integers(6, size=(200, 1)).astype(float)
    with pytest.raises(ValueError, match="factors: found 1 columns, expected at least 2"):
        beta_vae_score(Sample.of(values, values, ["discrete"]), SETTINGS, seed=0)
