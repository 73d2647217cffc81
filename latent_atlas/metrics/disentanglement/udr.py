"""Unsupervised disentanglement ranking, UDR (Duan et al. 2020): agreement between seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.linear_model import Lasso

from latent_atlas.metrics.disentanglement.sample import Floats, matrix, standardise

Similarity = Literal["lasso", "spearman"]


@dataclass(frozen=True)
class UDR:
    """Unsupervised disentanglement ranking of M models.

    Attributes:
        pairs: M×M, the one-to-one correspondence of the latents of models i and j; entry i, j
            predicts j's latents from i's. NaN on the diagonal.
        scores: M, the median of each model's agreement with the others, from 0 to 1.
    """

    pairs: Floats
    scores: Floats


def udr(
    codes: Sequence[npt.ArrayLike],
    informative: Sequence[npt.ArrayLike],
    *,
    similarity: Similarity,
    alpha: float,
) -> UDR:
    """UDR (Duan et al. 2020, section 4): agreement of the latents of models of several seeds.

    Args:
        codes: M of the *same* images in the same order, each N×D (D may differ), from models
            that differ in their seed only.
        informative: M times D booleans, which latents to compare: those with a mean KL
            divergence from the prior above 0.01 nats in disentanglement_lib.
        similarity: ``lasso`` compares by the weights of a lasso regression of one model's
            standardised latents on the other's, ``spearman`` by the rank correlation.
        alpha: the lasso's penalty; 0.1 in disentanglement_lib, where codes that agree
            perfectly score 1 − alpha. Not used by ``spearman``.

    Raises:
        ValueError: for fewer than two models, or arrays of different shapes.
    """
    if similarity not in ("lasso", "spearman"):
        raise ValueError(f"similarity: found {similarity!r}, expected lasso or spearman")
    latents = _informative(codes, informative)
    models = len(latents)
    pairs = np.full((models, models), np.nan)
    for i, j in np.argwhere(~np.eye(models, dtype=bool)):
        pairs[i, j] = agreement(_similarities(latents[i], latents[j], similarity, alpha))
    return UDR(pairs, np.nanmedian(pairs, axis=0))


def agreement(similarities: Floats) -> float:
    """Agreement of two models; near 1 if every latent is similar to exactly one of the other.

    Duan et al. 2020, equation 2.
    """
    if 0 in similarities.shape:
        return 0.0
    strengths = 0.0
    for axis in (0, 1):
        best, total = similarities.max(axis=axis), similarities.sum(axis=axis)
        share = np.divide(best**2, total, out=np.zeros_like(best), where=total > 0)
        strengths += float(share.sum())
    return strengths / sum(similarities.shape)


def _informative(
    codes: Sequence[npt.ArrayLike], informative: Sequence[npt.ArrayLike]
) -> list[Floats]:
    """The standardised informative latents of each model."""
    if len(codes) < 2 or len(codes) != len(informative):
        raise ValueError(
            f"found {len(codes)} codes and {len(informative)} masks, expected two or more of each"
        )
    latents = []
    for number, (code, mask) in enumerate(zip(codes, informative, strict=True)):
        array, keep = matrix(code, f"codes[{number}]"), np.asarray(mask)
        if keep.dtype != bool or keep.shape != array.shape[1:]:
            raise ValueError(f"informative[{number}]: expected {array.shape[1]} booleans")
        latents.append(standardise(array[:, keep], array[:, keep]))
    if len({len(array) for array in latents}) > 1:
        raise ValueError(f"codes: found {[len(array) for array in latents]} images, "
                         "expected the same images for every model")  # fmt: skip
    return latents


def _similarities(first: Floats, second: Floats, similarity: Similarity, alpha: float) -> Floats:
    """The similarity of each latent of `first` (rows) to each of `second` (columns), from 0."""
    if 0 in (first.shape[1], second.shape[1]):
        return np.zeros((first.shape[1], second.shape[1]))
    if similarity == "lasso":
        model = Lasso(alpha=alpha, fit_intercept=False, precompute=True, max_iter=10_000)
        weights: Floats = model.fit(first, second).coef_.reshape(second.shape[1], -1)
        return np.asarray(np.abs(weights.T))
    ranks = [rankdata(array, axis=0) for array in (first, second)]
    one, other = (standardise(array, array) for array in ranks)
    return np.asarray(np.abs(one.T @ other)) / len(first)
