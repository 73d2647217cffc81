"""Draws with a fixed factor: their partners, and images that cannot be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample, Settings, fixed_factor
from latent_atlas.metrics.disentanglement.beta_vae_score import beta_vae_score
from latent_atlas.metrics.disentanglement.factor_vae_score import factor_vae_score
from latent_atlas.metrics.disentanglement.fixed_factor import draw_anchors, draw_partners
from tests.metrics.disentanglement import DISCRETE


def test_partners_share_the_fixed_factor_and_vary_in_the_others() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(5, size=600), rng.random(600)], axis=1)
    sample = Sample.of(factors, factors, ["discrete", "continuous"])
    draws = np.random.default_rng(1)
    factor, rows = draw_anchors(sample, 20, 400, 3, draws)
    partners = draw_partners(sample, 20, factor, rows, draws)
    first, second = factors[rows], factors[partners]
    assert rows.shape == partners.shape == (400, 3)
    assert (first[factor == 0, :, 0] == second[factor == 0, :, 0]).all()
    width = np.ptp(factors[:, 1]) / 20
    assert np.abs(first - second)[factor == 1, :, 1].max() <= width
    assert np.abs(first - second)[factor == 0, :, 1].mean() == pytest.approx(1 / 3, abs=0.05)
    assert 150 < (factor == 0).sum() < 250


def test_an_image_with_a_unique_value_is_never_an_anchor() -> None:
    classes = np.repeat(np.arange(3.0), [1, 300, 300])
    sample = Sample.of(classes[:, None], classes[:, None], ["discrete"])
    _, rows = draw_anchors(sample, 20, 5000, 1, np.random.default_rng(0))
    assert rows.min() == 1


def test_a_factor_of_unique_values_is_refused() -> None:
    unique = np.arange(200.0)[:, None]
    both = np.hstack([unique, unique])
    settings = replace(REFERENCE, train=10, test=10, batch=4)
    with pytest.raises(ValueError, match="column 0: no two images have the same value"):
        factor_vae_score(Sample.of(both, both, DISCRETE), settings, seed=0)


@pytest.mark.parametrize("score", [factor_vae_score, beta_vae_score])
def test_scores_do_not_depend_on_the_block_size(
    score: Callable[[Sample, Settings, int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    factors = rng.random((500, 3))
    codes = factors @ rng.standard_normal((3, 4)) + rng.standard_normal((500, 4))
    sample = Sample.of(codes, factors, ["continuous"] * 3)
    settings = replace(REFERENCE, train=1000, test=1000)
    whole = score(sample, settings, 0)
    monkeypatch.setattr(fixed_factor, "BLOCK", 37)
    assert score(sample, settings, 0) == whole
    assert 0.3 < whole < 1
