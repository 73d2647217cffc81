"""Disentanglement, completeness and informativeness, DCI (Eastwood & Williams 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import entr
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import Lasso

from latent_atlas.metrics.disentanglement.sample import Floats, Sample, standardise
from latent_atlas.metrics.disentanglement.settings import Settings
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.util.parallel import in_order

METRICS = {
    "dci_trees_disentanglement": Metric("higher", 0.1, headline=True),
    "dci_*": Metric("higher", 0.1),
}


@dataclass(frozen=True)
class DCI:
    """The scores of a code.

    Attributes:
        importance: D×K, how much latent d contributes to predicting factor k; not negative.
        informativeness: K scores on held-out images: accuracy of a discrete factor (chance is
            the share of its largest class), R² of a continuous one, from 0.
    """

    importance: Floats
    informativeness: Floats

    @property
    def disentanglement(self) -> float:
        """1 if each latent is important for one factor only, 0 if each is for all alike."""
        return concentration(self.importance)

    @property
    def completeness(self) -> float:
        """1 if one latent is important for each factor, 0 if all are alike."""
        return concentration(self.importance.T)

    def metrics(self, method: str) -> dict[str, float]:
        """The three scores, e.g. ``dci_trees_disentanglement`` for the method ``trees``."""
        return {
            f"dci_{method}_disentanglement": self.disentanglement,
            f"dci_{method}_completeness": self.completeness,
            f"dci_{method}_informativeness": float(self.informativeness.mean()),
        }


def dci_trees(sample: Sample, settings: Settings, seed: int) -> DCI:
    """DCI with gradient-boosted trees: importance is the loss that a latent's splits removed.

    A continuous factor is regressed, a discrete one classified. This uses scikit-learn's exact
    boosting, because its histogram boosting reports no importance. Among equally good splits exact
    boosting chooses at random, so a duplicated latent shares the importance of the original;
    histogram boosting always takes the first. Each factor's importances add to 1, as in
    disentanglement_lib, so a factor that cannot be predicted weighs as much as another: read
    disentanglement beside informativeness.

    Needs two latents and two factors. `seed` decides the split and the ties; ``settings.train``,
    ``test``, ``trees``, ``depth`` and ``learning_rate`` are used.
    """
    sample.require(latents=2, factors=2)
    fitted, held_out = sample.split(settings.train, settings.test, seed)

    def fit(column: int) -> tuple[Floats, float]:
        regressed = sample.kinds[column] == "continuous"
        boosting = GradientBoostingRegressor if regressed else GradientBoostingClassifier
        model = boosting(
            n_estimators=settings.trees,
            max_depth=settings.depth,
            learning_rate=settings.learning_rate,
            random_state=seed,
        )
        model.fit(fitted.codes, fitted.factors[:, column])
        score = model.score(held_out.codes, held_out.factors[:, column])
        # Rounding leaves a latent that is never needed a little below 0.
        return np.maximum(model.feature_importances_, 0.0), max(0.0, score)

    columns = range(len(sample.kinds))
    importance, informativeness = zip(*in_order(fit, columns, threads=True), strict=True)
    return DCI(np.stack(importance, axis=1), np.array(informativeness))


def dci_lasso(sample: Sample, settings: Settings, seed: int) -> DCI:
    """DCI with lasso regression: importance is the absolute weight of a standardised latent.

    A discrete factor is regressed as one indicator per class. Its importance is their mean, and
    an image gets the class with the nearest mean of predicted indicators. The method detects
    linear relations only, and gives all the weight to one of two equal latents.

    Needs two latents and two factors. `seed` decides the split; ``settings.train``, ``test`` and
    ``alpha`` are used.
    """
    sample.require(latents=2, factors=2)
    fitted, held_out = sample.split(settings.train, settings.test, seed)
    x, x_test = (standardise(part.codes, fitted.codes) for part in (fitted, held_out))
    all_weights = _lasso_weights(fitted, settings.alpha)
    informativeness = []
    for column, (kind, weights) in enumerate(zip(sample.kinds, all_weights, strict=True)):
        y, y_test = fitted.factors[:, column], held_out.factors[:, column]
        outputs, test_outputs = x @ weights.T, x_test @ weights.T
        if kind == "continuous":
            error = np.mean((test_outputs[:, 0] * y.std() + y.mean() - y_test) ** 2)
            informativeness.append(max(0.0, float(1 - error / y_test.var())))
        else:
            classes = _nearest_class(outputs, y, test_outputs)
            informativeness.append(float(np.mean(classes == y_test)))
    return DCI(_mean_absolute(all_weights), np.array(informativeness))


def lasso_concentrations(fitted: Sample, settings: Settings) -> dict[str, float]:
    """Disentanglement and completeness of `dci_lasso`, all of `fitted` being training images."""
    importance = _mean_absolute(_lasso_weights(fitted, settings.alpha))
    return {
        "dci_lasso_disentanglement": concentration(importance),
        "dci_lasso_completeness": concentration(importance.T),
    }


def concentration(importance: Floats) -> float:
    """The concentration of each row on one column: 1 − entropy, averaged with the rows' weights.

    Eastwood & Williams 2018, section 2. 0 if nothing is important.
    """
    weight = importance.sum(axis=1, keepdims=True)
    if weight.sum() == 0:
        return 0.0
    share = np.divide(importance, weight, out=np.zeros_like(importance), where=weight > 0)
    concentrations = 1 - entr(share).sum(axis=1) / np.log(importance.shape[1])
    return float(np.average(concentrations, weights=weight[:, 0]))


def _lasso_weights(sample: Sample, alpha: float) -> list[Floats]:
    """For each factor, the weights of its targets (1, or one per class) on the D latents."""
    x = standardise(sample.codes, sample.codes)
    targets = [
        values[:, None] if kind == "continuous" else _indicators(values)
        for values, kind in zip(sample.factors.T, sample.kinds, strict=True)
    ]
    every = np.concatenate(targets, axis=1)
    model = Lasso(alpha=alpha, fit_intercept=False, precompute=True, max_iter=10_000)
    # The targets have separate weights; one fit computes the Gram matrix of the latents once.
    weights = model.fit(x, standardise(every, every)).coef_.reshape(every.shape[1], -1)
    ends = np.cumsum([part.shape[1] for part in targets])
    return np.split(weights, ends[:-1])


def _mean_absolute(weights: list[Floats]) -> Floats:
    """D×K absolute weights, averaged over the targets of a factor."""
    return np.stack([np.abs(targets).mean(axis=0) for targets in weights], axis=1)


def _indicators(values: Floats) -> Floats:
    """N×classes: 1 if an image is of the class, else 0."""
    return np.asarray(values[:, None] == np.unique(values), dtype=np.float64)


def _nearest_class(outputs: Floats, classes: Floats, test_outputs: Floats) -> Floats:
    """For each row of `test_outputs` the class with the nearest mean of `outputs`.

    Of equally near classes the largest. (The largest indicator would never choose the middle one
    of ordered classes: Hastie et al., The Elements of Statistical Learning, section 4.2.)
    """
    names, counts = np.unique(classes, return_counts=True)
    names = names[np.argsort(-counts, kind="stable")]
    centres = np.stack([outputs[classes == name].mean(axis=0) for name in names])
    nearest: Floats = names[cdist(test_outputs, centres).argmin(axis=1)]
    return nearest
