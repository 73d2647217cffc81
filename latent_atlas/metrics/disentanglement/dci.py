"""Disentanglement, completeness and informativeness (Eastwood & Williams 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import entr
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import Lasso

from latent_atlas.metrics.disentanglement.sample import Floats, Kind, Sample, check, standardise
from latent_atlas.util.parallel import in_order


@dataclass(frozen=True)
class DCI:
    """The scores of a code.

    Attributes:
        importance: D×K, how much latent d serves to predict factor k; not negative.
        informativeness: K scores on held-out images: accuracy of a discrete factor (chance is
            the share of its largest class), R² of a continuous one, from 0.
    """

    importance: Floats
    informativeness: Floats

    @property
    def disentanglement(self) -> float:
        """1 if each latent serves one factor, 0 if each serves all alike."""
        return concentration(self.importance)

    @property
    def completeness(self) -> float:
        """1 if one latent serves each factor, 0 if all serve it alike."""
        return concentration(self.importance.T)


def dci_trees(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    train: int,
    test: int,
    trees: int,
    depth: int,
    learning_rate: float,
) -> DCI:
    """DCI with gradient-boosted trees: importance is the loss that a latent's splits removed.

    scikit-learn's exact boosting, not its histogram boosting: only the former tells that
    importance, and among equally good splits it chooses at random, so a duplicated latent
    shares its twin's importance; histogram boosting always takes the first. Each factor's
    importances add to 1, as in disentanglement_lib, so a factor that cannot be predicted weighs
    as much as another: read disentanglement beside informativeness.

    Args:
        codes: N×D, D 2 or more.
        factors: N×K, K 2 or more.
        kinds: of the K factors; a continuous one is regressed, a discrete one classified.
        seed: of the split and of the ties.
        train: images to fit; 10,000 in disentanglement_lib.
        test: images held out; 5,000 in disentanglement_lib.
        trees: boosting rounds; 100 in disentanglement_lib. A discrete factor grows as many
            for each class.
        depth: of a tree; 3 in disentanglement_lib.
        learning_rate: 0.1 in disentanglement_lib. 30 trees at 0.3 give the same importances
            to about 0.01 in a third of the time.
    """
    sample = check(codes, factors, kinds, latents=2, variables=2)
    fitted, held_out = sample.split(train, test, seed)

    def fit(column: int) -> tuple[Floats, float]:
        regressed = sample.kinds[column] == "continuous"
        boosting = GradientBoostingRegressor if regressed else GradientBoostingClassifier
        model = boosting(
            n_estimators=trees, max_depth=depth, learning_rate=learning_rate, random_state=seed
        )
        model.fit(fitted.codes, fitted.factors[:, column])
        score = model.score(held_out.codes, held_out.factors[:, column])
        # Rounding leaves a latent that is never needed a little below 0.
        return np.maximum(model.feature_importances_, 0.0), max(0.0, score)

    importance, informativeness = zip(*in_order(fit, range(len(kinds)), threads=True), strict=True)
    return DCI(np.stack(importance, axis=1), np.array(informativeness))


def dci_lasso(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    kinds: Sequence[Kind],
    seed: int,
    *,
    train: int,
    test: int,
    alpha: float,
) -> DCI:
    """DCI with lasso regression: importance is the absolute weight of a standardised latent.

    A discrete factor is regressed as one indicator a class; its importance is their mean, and
    an image gets the class with the nearest mean of predicted indicators. The method sees
    linear relations only, and gives all the weight to one of two equal latents.

    Args:
        codes: N×D, D 2 or more.
        factors: N×K, K 2 or more.
        kinds: of the K factors.
        seed: of the split.
        train: images to fit; 10,000 in disentanglement_lib.
        test: images held out; 5,000 in disentanglement_lib.
        alpha: the penalty on weights of standardised variables. Eastwood & Williams choose it
            by validation and name no value. Correlations below it count as none; those of
            unrelated variables are some 1/√train.
    """
    sample = check(codes, factors, kinds, latents=2, variables=2)
    fitted, held_out = sample.split(train, test, seed)
    x, x_test = (standardise(part.codes, fitted.codes) for part in (fitted, held_out))
    all_weights = lasso_weights(fitted, alpha)
    informativeness = []
    for column, (kind, weights) in enumerate(zip(sample.kinds, all_weights, strict=True)):
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        predicted, guess = x @ weights.T, x_test @ weights.T
        if kind == "continuous":
            error = np.mean((guess[:, 0] * y.std() + y.mean() - y_test) ** 2)
            informativeness.append(max(0.0, float(1 - error / y_test.var())))
        else:
            informativeness.append(float(np.mean(_nearest(predicted, y, guess) == y_test)))
    return DCI(lasso_importance(all_weights), np.array(informativeness))


def lasso_weights(sample: Sample, alpha: float) -> list[Floats]:
    """For each factor, the weights of its targets (1, or one a class) on the D latents."""
    x = standardise(sample.codes, sample.codes)
    targets = [
        values[:, None] if kind == "continuous" else _indicators(values)
        for values, kind in zip(sample.factors.T, sample.kinds, strict=True)
    ]
    every = np.concatenate(targets, axis=1)
    model = Lasso(alpha=alpha, fit_intercept=False, precompute=True, max_iter=10_000)
    # Each target has weights of its own; fitted together, the latents are looked at once.
    weights = model.fit(x, standardise(every, every)).coef_.reshape(every.shape[1], -1)
    ends = np.cumsum([part.shape[1] for part in targets])
    return np.split(weights, ends[:-1])


def lasso_importance(weights: list[Floats]) -> Floats:
    """D×K absolute weights, averaged over the targets of a factor."""
    return np.stack([np.abs(one).mean(axis=0) for one in weights], axis=1)


def concentration(importance: Floats) -> float:
    """How far each row keeps to one column: 1 − entropy, averaged with the rows' weights.

    Eastwood & Williams 2018, section 2. 0 where nothing is important.
    """
    weight = importance.sum(axis=1, keepdims=True)
    if weight.sum() == 0:
        return 0.0
    share = np.divide(importance, weight, out=np.zeros_like(importance), where=weight > 0)
    kept = 1 - entr(share).sum(axis=1) / np.log(importance.shape[1])
    return float(np.average(kept, weights=weight[:, 0]))


def _indicators(values: Floats) -> Floats:
    """N×classes: 1 where an image is of the class, else 0."""
    return np.asarray(values[:, None] == np.unique(values), dtype=np.float64)


def _nearest(predicted: Floats, classes: Floats, guess: Floats) -> Floats:
    """For each row of `guess` the class with the nearest mean of `predicted`.

    Of equally near classes the largest. (The largest indicator would never choose the middle one
    of ordered classes: Hastie et al., The Elements of Statistical Learning, section 4.2.)
    """
    names, counts = np.unique(classes, return_counts=True)
    names = names[np.argsort(-counts, kind="stable")]
    centres = np.stack([predicted[classes == name].mean(axis=0) for name in names])
    nearest: Floats = names[cdist(guess, centres).argmin(axis=1)]
    return nearest
