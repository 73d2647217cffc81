"""A linear classifier on frozen features, trained on ten folds as STL-10's protocol asks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the penalty; a fold chooses its own on a fifth that it holds out."""

HELD_OUT = 0.2


def folds(labels: Labels, count: int, size: int, seed: int) -> list[Rows]:
    """`count` random subsets with the same number of rows of each class.

    STL-10 (Coates et al. 2011) trains on ten folds of 1,000 of its 5,000 images, 100 a class.

    Args:
        labels: N class numbers.
        count: how many folds.
        size: of a fold; what does not divide by the number of classes is left out.
        seed: decides which.

    Raises:
        ValueError: if a class has too few rows, or too few of them come into a fold.
    """
    classes, numbers = np.unique(labels, return_counts=True)
    each = size // len(classes)
    least = _least(len(classes))
    if each < least:
        raise ValueError(
            f"found {size}, {each} images of each of {len(classes)} classes; expected "
            f"{least * len(classes)} or more, {least} of each, since a fifth is held out"
        )
    if numbers.min() < each:
        raise ValueError(
            f"folds of {size} need {each} images of each of {len(classes)} classes; "
            f"the smallest has {numbers.min()}"
        )
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == one) for one in classes]
    return [
        np.sort(np.concatenate([random.choice(of_one, each, replace=False) for of_one in rows]))
        for _ in range(count)
    ]


def _least(classes: int) -> int:
    """Rows of each class in a fold, so that the fifth that is held out has one of each."""
    return next(each for each in range(2, 6) if math.ceil(HELD_OUT * each * classes) >= classes)


def accuracy(train: Features, labels: Labels, test: Features, truth: Labels, seed: int) -> float:
    """Share of test images named right by a multinomial logistic regression.

    Args:
        train: N×D features of a fold.
        labels: N.
        test: M×D.
        truth: M.
        seed: of the split that chooses the penalty.
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
