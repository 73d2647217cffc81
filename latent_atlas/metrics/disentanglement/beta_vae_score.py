"""β-VAE score (Higgins et al. 2017)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from latent_atlas.metrics.disentanglement.fixed_factor import blocks, draw_anchors, draw_partners
from latent_atlas.metrics.disentanglement.sample import Sample
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric

METRICS = {"beta_vae_score": Metric("higher", 0.1)}


def beta_vae_score(sample: Sample, settings: Settings, seed: int) -> float:
    """β-VAE score (Higgins et al. 2017, section 3); chance is about 1/K.

    ``settings.batch`` pairs of images have one factor in common. The score is the accuracy of a
    logistic regression that predicts this factor from the mean absolute difference of their codes.
    Needs two factors. The draws follow from `seed`; ``settings.bins``, ``train`` and ``test`` are
    used.

    Returns:
        From 0 to 1.
    """
    sample.require(factors=2)
    rng, train = np.random.default_rng(seed), settings.train
    draws = train + settings.test
    factor, first = draw_anchors(sample, settings.bins, draws, settings.batch, rng)
    second = draw_partners(sample, settings.bins, factor, first, rng)
    difference = np.concatenate(
        [
            np.abs(sample.codes[one] - sample.codes[other]).mean(axis=1)
            for one, other in zip(blocks(first), blocks(second), strict=True)
        ]
    )
    model = LogisticRegression(max_iter=10_000).fit(difference[:train], factor[:train])
    return float(model.score(difference[train:], factor[train:]))
