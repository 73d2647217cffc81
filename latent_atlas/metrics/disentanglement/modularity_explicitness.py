"""Modularity and explicitness (Ridgeway & Mozer 2018, section 3)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from latent_atlas.metrics.disentanglement.mutual_information import mutual_information
from latent_atlas.metrics.disentanglement.sample import Sample, standardise
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.util.parallel import in_order

METRICS = {"modularity*": Metric("higher", 0.1), "explicitness": Metric("higher", 0.1)}
"""Modularity with the ends of its interval."""


def modularity(sample: Sample, settings: Settings) -> float:
    """Modularity: each latent has information about one factor only. From 0 to 1.

    1 less the ratio of two sums over factors: the squared information of a latent with all but its
    best factor, and the same sum if all were as high as the best. Averaged over latents. A latent
    without any information counts 0, as in disentanglement_lib. Needs two factors and uses
    ``settings.bins``.
    """
    sample.require(factors=2)
    squares = mutual_information(sample, settings.bins) ** 2
    best = squares.max(axis=1)
    rest = squares.sum(axis=1) - best
    # Ridgeway & Mozer's template is the best factor's information and 0 elsewhere.
    scale = best * (squares.shape[1] - 1)
    deviation = np.divide(rest, scale, out=np.ones_like(rest), where=scale > 0)
    return float(np.mean(1 - deviation))


def explicitness(sample: Sample, settings: Settings, seed: int) -> float:
    """Explicitness: a linear classifier predicts the factors from all latents.

    A logistic regression of standardised latents for each factor; the area under the ROC curve of
    each class against all others on held-out images, averaged over classes, then factors. As in
    disentanglement_lib it is not rescaled: chance is 0.5. The split follows from `seed`;
    ``settings.bins``, ``train`` and ``test`` are used.

    Returns:
        From 0.5 (chance) to 1.

    Raises:
        ValueError: also for a factor without a class that is in both parts.
    """
    fitted, held_out = sample.discrete(settings.bins).split(settings.train, settings.test, seed)
    x, x_test = (standardise(part.codes, fitted.codes) for part in (fitted, held_out))

    def area(column: int) -> float:
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        model = LogisticRegression(max_iter=10_000).fit(x, y)
        probabilities = model.predict_proba(x_test).T
        # A class that no held-out image has, or that all have, has no curve.
        areas = [
            roc_auc_score(y_test == name, probability)
            for name, probability in zip(model.classes_, probabilities, strict=True)
            if 0 < np.mean(y_test == name) < 1
        ]
        if not areas:
            raise ValueError(
                f"factors column {column}: no value is in both a training and a held-out image; "
                "add images or leave this factor out"
            )
        return float(np.mean(areas))

    return float(np.mean(list(in_order(area, range(len(sample.kinds)), threads=True))))
