"""FactorVAE score (Kim & Mnih 2018)."""

from __future__ import annotations

import numpy as np

from latent_atlas.metrics.disentanglement.fixed_factor import blocks, draw_anchors, draw_partners
from latent_atlas.metrics.disentanglement.sample import Sample
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric

METRICS = {"factor_vae_score": Metric("higher", 0.1)}


def factor_vae_score(sample: Sample, settings: Settings, seed: int) -> float:
    """FactorVAE score (Kim & Mnih 2018, section 4 and appendix B); chance is about 1/K.

    In a batch of images with one factor fixed, the latent that varies least, relative to its
    variance over all images, votes for that factor. The score is the accuracy of each latent's
    majority vote. Needs two factors. The draws follow from `seed`; ``settings.bins``, ``train``,
    ``test``, ``batch`` and ``least_deviation`` are used.

    Returns:
        From 0 to 1; 0 if no latent votes.
    """
    sample.require(factors=2)
    variance = sample.codes.var(axis=0, ddof=1)
    active = np.sqrt(variance) >= settings.least_deviation
    if not active.any():
        return 0.0
    latents = sample.codes[:, active] / np.sqrt(variance[active])
    rng, train = np.random.default_rng(seed), settings.train
    factor, first = draw_anchors(sample, settings.bins, train + settings.test, 1, rng)
    groups = np.repeat(first, settings.batch, axis=1)
    rows = draw_partners(sample, settings.bins, factor, groups, rng)
    votes = np.concatenate(
        [latents[block].var(axis=1, ddof=1).argmin(axis=1) for block in blocks(rows)]
    )
    table = np.zeros((latents.shape[1], len(sample.kinds)), dtype=np.int64)
    np.add.at(table, (votes[:train], factor[:train]), 1)
    return float(np.mean(table.argmax(axis=1)[votes[train:]] == factor[train:]))
