"""Separated attribute predictability, SAP (Kumar et al. 2018, section 3)."""

from __future__ import annotations

import numpy as np
from sklearn.svm import LinearSVC

from latent_atlas.metrics.disentanglement.sample import Floats, Sample, mean_gap
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric

METRICS = {"sap": Metric("higher", 0.2)}


def sap(sample: Sample, settings: Settings, seed: int) -> float:
    """The gap between the two single latents that predict a factor best, from 0 to 1.

    Averaged over factors. Needs two latents; otherwise as `score_matrix`.
    """
    sample.require(latents=2)
    return mean_gap(score_matrix(sample, settings, seed))


def score_matrix(sample: Sample, settings: Settings, seed: int) -> Floats:
    """The quality of predicting each factor from each single latent.

    A continuous factor scores the squared correlation over the training images. A discrete factor
    scores the accuracy of a linear support vector classifier, balanced over classes, on held-out
    images. The split follows from `seed`; ``settings.train``, ``test`` and ``penalty`` are used.

    Returns:
        D×K, each from 0 to 1.
    """
    fitted, held_out = sample.split(settings.train, settings.test, seed)
    scores = np.zeros((sample.codes.shape[1], len(sample.kinds)))
    for column, kind in enumerate(sample.kinds):
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        for latent in range(len(scores)):
            z, z_test = fitted.codes[:, latent], held_out.codes[:, latent]
            if kind == "continuous":
                scores[latent, column] = _squared_correlation(z, y)
                continue
            # The primal problem has one weight per class here, and needs no random numbers.
            model = LinearSVC(C=settings.penalty, class_weight="balanced", dual=False)
            scores[latent, column] = model.fit(z[:, None], y).score(z_test[:, None], y_test)
    return scores


def _squared_correlation(z: Floats, y: Floats) -> float:
    if np.ptp(z) == 0:
        return 0.0
    return float(np.corrcoef(z, y)[0, 1] ** 2)
