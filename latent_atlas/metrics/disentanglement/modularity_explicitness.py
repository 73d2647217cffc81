"""Explicitness (Ridgeway & Mozer 2018, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from latent_atlas.metrics.disentanglement.sample import Kind, check, standardise
from latent_atlas.util.parallel import in_order


def explicitness(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    bins: int,
    train: int,
    test: int,
) -> float:
    """How well a linear classifier reads the factors from all latents: area under ROC curves.

    A logistic regression of standardised latents for each factor; the area of each class
    against all others on held-out images, averaged over classes, then factors. As in
    disentanglement_lib it is not rescaled: chance is 0.5.

    Args:
        codes: N×D.
        factors: N×K.
        kinds: of the K factors.
        seed: of the split.
        bins: equal intervals of a continuous factor, taken as classes; disentanglement_lib
            needs none, its factors are discrete.
        train: images to fit; 10,000 in disentanglement_lib.
        test: images held out; 5,000 in disentanglement_lib.

    Returns:
        From 0.5 (nothing is explicit) to 1.

    Raises:
        ValueError: also for a factor of which no class is in both parts.
    """
    sample = check(codes, factors, kinds).discrete(bins)
    fitted, held_out = sample.split(train, test, seed)
    x, x_test = (standardise(part.codes, fitted.codes) for part in (fitted, held_out))

    def area(column: int) -> float:
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        model = LogisticRegression(max_iter=10_000).fit(x, y)
        chances = model.predict_proba(x_test).T
        # A class that no held-out image has, or that all have, has no curve.
        curves = [
            roc_auc_score(y_test == name, chance)
            for name, chance in zip(model.classes_, chances, strict=True)
            if 0 < np.mean(y_test == name) < 1
        ]
        if not curves:
            raise ValueError(
                f"factors column {column}: no value of a training image is that of a held-out one; "
                "give more images or leave this factor out"
            )
        return float(np.mean(curves))

    return float(np.mean(list(in_order(area, range(len(kinds)), threads=True))))
