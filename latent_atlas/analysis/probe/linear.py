"""Linear probe of frozen features on random folds, as in the protocol of STL-10."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latent_atlas.util.console import FieldError

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the penalty; each fold selects one on a held-out fifth of its images."""

HELD_OUT = 0.2


def stratified_folds(labels: Labels, count: int, size: int, seed: int) -> list[Rows]:
    """Draw `count` random subsets with the same number of rows of each class.

    STL-10 (Coates et al. 2011) has ten folds of 1,000 of its 5,000 training images, 100 per class.

    Args:
        labels: N class numbers.
        count: number of folds.
        size: of a fold, rounded down to a multiple of the number of classes.
        seed: of the draws.

    Raises:
        FieldError: for ``fold_size``, if a class has too few rows for a fold, or a fold too few
            rows of each class.
    """
    classes, numbers = np.unique(labels, return_counts=True)
    each = size // len(classes)
    least = _min_rows_of_a_class(len(classes))
    if each < least:
        raise FieldError(
            "fold_size",
            f"found {size}, {each} images of each of {len(classes)} classes; expected at least "
            f"{least * len(classes)}, {least} of each, because a fifth is held out",
        )
    if numbers.min() < each:
        raise FieldError(
            "fold_size",
            f"found {size}, {each} images of each of {len(classes)} classes; expected at most "
            f"{numbers.min()} of each, the number of training images of the smallest class",
        )
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == label) for label in classes]
    return [
        np.sort(np.concatenate([random.choice(members, each, replace=False) for members in rows]))
        for _ in range(count)
    ]


def _min_rows_of_a_class(classes: int) -> int:
    """Smallest number of rows of each class, so that the held-out fifth can have one of each."""
    return next(each for each in range(2, 6) if math.ceil(HELD_OUT * each * classes) >= classes)


def probe_accuracy(
    train: Features, labels: Labels, test: Features, truth: Labels, seed: int
) -> float:
    """The share of test images that a multinomial logistic regression classifies correctly.

    Args:
        train: N×D features of a fold.
        labels: N class numbers.
        test: M×D features.
        truth: M class numbers.
        seed: of the split that selects the penalty.
    """
    inner, held, inner_labels, held_labels = train_test_split(
        train, labels, test_size=HELD_OUT, stratify=labels, random_state=seed
    )
    scores = [_fit(inner, inner_labels, c).score(held, held_labels) for c in STRENGTHS]
    best = STRENGTHS[int(np.argmax(scores))]
    return float(_fit(train, labels, best).score(test, truth))


def _fit(features: Features, labels: Labels, strength: float) -> Pipeline:
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    return classifier.fit(features, labels)
