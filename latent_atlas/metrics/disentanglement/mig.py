"""Mutual information gap, MIG (Chen et al. 2018)."""

from __future__ import annotations

import numpy as np

from latent_atlas.metrics.disentanglement.mutual_information import entropies, mutual_information
from latent_atlas.metrics.disentanglement.sample import Sample, mean_gap
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric

METRICS = {"mig": Metric("higher", 0.1, headline=True), "mig_*": Metric("higher", 0.1)}
"""With the ends of its interval."""


def mig(sample: Sample, settings: Settings) -> float:
    """Mutual information gap (Chen et al. 2018, equation 6), from 0 to 1.

    The gap between the two latents with the most information about a factor, as a share of the
    factor's entropy, averaged over factors. A factor without entropy (in a resample) counts 0.
    Needs two latents and uses ``settings.bins``.
    """
    sample.require(latents=2)
    information = mutual_information(sample, settings.bins)
    entropy = entropies(sample, settings.bins)
    share = np.divide(information, entropy, out=np.zeros_like(information), where=entropy > 0)
    return mean_gap(share)
