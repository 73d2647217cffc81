"""Settings of the disentanglement metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Settings:
    """Everything that the metrics depend on besides codes, factors and a seed.

    `REFERENCE` holds the values of disentanglement_lib.

    Attributes:
        points: images for mutual information and total correlation.
        train: images to fit predictors, and votes to fit the FactorVAE and β-VAE scores.
        test: held-out images, and votes, to score.
        bins: equal intervals of a latent, and of a continuous factor where a metric needs classes.
            disentanglement_lib has discrete factors only.
        batch: images per vote of the FactorVAE score, pairs per difference of the β-VAE score.
        least_deviation: latents with a smaller standard deviation over all images do not vote for
            the FactorVAE score. The value is absolute, because the prior has a deviation of 1.
        penalty: C of SAP's classifier.
        trees: boosting rounds of DCI. A discrete factor has as many for each class.
        depth: of a tree.
        learning_rate: of the trees. 30 trees at 0.3 give the same importances as 100 at 0.1 to
            about 0.01, in a third of the time.
        alpha: penalty of DCI's lasso on weights of standardised variables. Eastwood & Williams
            choose it by validation and name no value. Correlations below it count as 0; those of
            unrelated variables are about 1/√train.
        resamples: of the bootstrap intervals.
        level: probability of the bootstrap intervals.
    """

    points: int
    train: int
    test: int
    bins: int
    batch: int
    least_deviation: float
    penalty: float
    trees: int
    depth: int
    learning_rate: float
    alpha: float
    resamples: int
    level: float


REFERENCE = Settings(
    points=10_000,
    train=10_000,
    test=5_000,
    bins=20,
    batch=64,
    least_deviation=0.05,
    penalty=0.01,
    trees=100,
    depth=3,
    learning_rate=0.1,
    alpha=0.05,
    resamples=200,
    level=0.95,
)
"""The settings of disentanglement_lib (Locatello et al. 2019), which has no lasso or bootstrap."""

QUICK = replace(REFERENCE, trees=30, learning_rate=0.3)
