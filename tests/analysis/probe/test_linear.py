"""Stratified folds and the linear probe of frozen features."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.analysis.probe import linear
from latent_atlas.util.console import FieldError


def test_folds_have_equally_many_rows_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 40])
    folds = linear.stratified_folds(labels, 10, 60, seed=0)
    assert len(folds) == 10
    for fold in folds:
        assert len(set(fold)) == 60
        assert (np.bincount(labels[fold]) == 20).all()
    assert any((folds[0] != fold).any() for fold in folds[1:])
    with pytest.raises(FieldError, match=r"^fold_size: found 100, 33 .* at most 30 of each"):
        linear.stratified_folds(labels, 10, 100, seed=0)


@pytest.mark.parametrize("classes, least", [(2, 3), (4, 4), (5, 5), (10, 5)])
def test_a_fold_below_the_smallest_size_is_refused(classes: int, least: int) -> None:
    labels = np.repeat(np.arange(classes), 10)
    features = np.eye(classes, dtype=np.float32)[labels]
    (fold,) = linear.stratified_folds(labels, 1, least * classes, seed=0)
    accuracy = linear.probe_accuracy(features[fold], labels[fold], features, labels, 0)
    assert accuracy == 1.0
    message = f"found {least * classes - 1}, .* at least {least * classes}, {least} of each"
    with pytest.raises(FieldError, match=message):
        linear.stratified_folds(labels, 1, least * classes - 1, seed=0)


def test_accuracy_of_informative_features_is_high_and_of_noise_at_chance() -> None:
    random = np.random.default_rng(0)
    labels, truth = np.repeat(np.arange(4), 25), np.repeat(np.arange(4), 100)
    noise = random.normal(size=(500, 6)).astype(np.float32)
    features = noise.copy()
    features[:, :4] += 5 * np.eye(4, dtype=np.float32)[np.r_[labels, truth]]
    assert linear.probe_accuracy(features[:100], labels, features[100:], truth, 0) > 0.97
    accuracy = linear.probe_accuracy(noise[:100], labels, noise[100:], truth, 0)
    assert accuracy == pytest.approx(0.25, abs=0.08)


def test_the_penalty_does_not_depend_on_the_test_labels() -> None:
    random = np.random.default_rng(0)
    labels, truth = np.arange(60) % 2, random.integers(2, size=40)
    train, test = (random.normal(size=(n, 20)).astype(np.float32) for n in (60, 40))
    accuracy = linear.probe_accuracy(train, labels, test, truth, 0)
    # The same predictions are correct either for the labels or for the inverted labels.
    inverted = linear.probe_accuracy(train, labels, test, 1 - truth, 0)
    assert accuracy + inverted == pytest.approx(1)


class StrengthScore:
    """A fitted classifier whose score is best for the middle penalty."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def score(self, features: object, labels: object) -> float:
        return 1 - abs(float(np.log10(self.strength)) + 2) / 10


def test_a_fold_selects_the_penalty_with_the_best_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_fit", lambda features, labels, strength: StrengthScore(strength))
    features, labels = np.zeros((20, 2), np.float32), np.arange(20) % 2
    assert linear.probe_accuracy(features, labels, features, labels, 0) == 1  # of 0.01
