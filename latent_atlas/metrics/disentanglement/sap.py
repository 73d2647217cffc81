"""Separated attribute predictability (Kumar et al. 2018, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.svm import LinearSVC

from latent_atlas.metrics.disentanglement.sample import Floats, Kind, check, mean_gap


def sap(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    train: int,
    test: int,
    penalty: float,
) -> float:
    """The mean gap between the two latents that alone predict a factor best, from 0 to 1.

    Arguments as of `attribute_scores`; D must be 2 or more.
    """
    check(codes, factors, kinds, latents=2)
    scores = attribute_scores(codes, factors, kinds, seed, train=train, test=test, penalty=penalty)
    return mean_gap(scores)


def attribute_scores(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    train: int,
    test: int,
    penalty: float,
) -> Floats:
    """How well each latent alone predicts each factor.

    A continuous factor scores the squared correlation over the training images; a discrete one
    the accuracy of a linear support vector classifier, balanced over classes, on held-out images.

    Args:
        codes: N×D.
        factors: N×K.
        kinds: of the K factors.
        seed: of the split.
        train: images to fit; 10,000 in disentanglement_lib.
        test: images held out; 5,000 in disentanglement_lib.
        penalty: C of the classifier; 0.01 in disentanglement_lib.

    Returns:
        D×K, each from 0 to 1.
    """
    sample = check(codes, factors, kinds)
    fitted, held_out = sample.split(train, test, seed)
    scores = np.zeros((sample.codes.shape[1], len(sample.kinds)))
    for column, kind in enumerate(sample.kinds):
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        for latent in range(len(scores)):
            z, z_test = fitted.codes[:, latent], held_out.codes[:, latent]
            if kind == "continuous":
                scores[latent, column] = _squared_correlation(z, y)
                continue
            # The primal problem has one weight a class here, and needs no random numbers.
            model = LinearSVC(C=penalty, class_weight="balanced", dual=False)
            scores[latent, column] = model.fit(z[:, None], y).score(z_test[:, None], y_test)
    return scores


def _squared_correlation(z: Floats, y: Floats) -> float:
    if np.ptp(z) == 0:
        return 0.0
    return float(np.corrcoef(z, y)[0, 1] ** 2)
