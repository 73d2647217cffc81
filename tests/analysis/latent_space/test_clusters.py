"""Clusters and predictions, on codes of known groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from latent_atlas.analysis.latent_space import clusters
from latent_atlas.analysis.latent_space.spread import Codes, Ints


def blobs(kinds: int, each: int = 40, apart: float = 30.0, dim: int = 5) -> tuple[Codes, Ints]:
    random = np.random.default_rng(0)
    middles = random.permutation(np.eye(dim))[:kinds] * apart
    labels = np.repeat(np.arange(kinds), each)
    codes = middles[labels] + random.standard_normal((kinds * each, dim))
    return codes.astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("method", list(clusters.METHODS))
@pytest.mark.parametrize("kinds", [2, 4])
def test_blobs_are_clustered_and_counted(method: str, kinds: int) -> None:
    codes, labels = blobs(kinds)
    clustering = clusters.cluster_codes(codes, method, range(2, 7), seed=0)
    assert clustering.clusters == kinds
    assert clusters.agreement(clustering.labels, labels) == {"ami": 1, "ari": 1, "purity": 1}
    assert clustering.silhouettes[kinds] > 0.8


@pytest.mark.parametrize("method", list(clusters.METHODS))
def test_a_clustering_repeats(method: str) -> None:
    codes = np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)
    first, second = (clusters.METHODS[method](codes, 4, 3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_too_few_codes_cannot_be_clustered() -> None:
    codes, _ = blobs(2, each=2)
    assert set(clusters.cluster_codes(codes, "k_means", range(2, 9), 0).silhouettes) == {2, 3}
    with pytest.raises(ValueError, match="found 4 codes, expected more than 4"):
        clusters.cluster_codes(codes, "k_means", range(4, 9), 0)


def test_agreement_does_not_depend_on_the_names_of_clusters() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert clusters.agreement((labels + 1) % 3, labels)["ami"] == pytest.approx(1)
    assert clusters.agreement(np.zeros(6, np.int64), labels)["ami"] == pytest.approx(0)
    assert clusters.agreement(np.zeros(6, np.int64), labels)["purity"] == pytest.approx(1 / 3)


def test_random_clusters_agree_by_chance_only() -> None:
    random = np.random.default_rng(0)
    agreement = clusters.agreement(random.integers(4, size=2000), random.integers(4, size=2000))
    assert abs(agreement["ami"]) < 0.01
    assert abs(agreement["ari"]) < 0.01
    assert agreement["purity"] > 0.25


def test_halves_are_halves_and_the_same_for_all_models() -> None:
    first, second = clusters.random_halves(101, 3, 7), clusters.random_halves(101, 3, 7)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert len(np.unique(a)) == 50
    assert not np.array_equal(first[0], first[1])


def test_halves_give_the_standard_error_of_a_mean() -> None:
    """The intervals rest on this rule; the standard error of a mean is known: sd/√n."""
    values = np.random.default_rng(0).standard_normal(400)
    means = [values[half].mean() for half in clusters.random_halves(400, 4000, 0)]
    assert np.std(means) == pytest.approx(values.std() / 20, rel=0.05)


def test_the_agreement_of_halves_is_certain_for_separate_groups() -> None:
    codes, labels = blobs(3)
    np.testing.assert_allclose(clusters.half_sample_ami(codes, labels, 6, 0), 1)
    shuffled = clusters.half_sample_ami(codes, np.random.default_rng(1).permutation(labels), 30, 0)
    assert abs(shuffled.mean()) < 0.05
    assert shuffled.std() > 0.005


def test_labels_of_blobs_are_predicted_correctly() -> None:
    codes, labels = blobs(3)
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    assert clusters.predict_by_neighbours(train, test, 5).accuracy() == 1
    assert clusters.predict_by_linear_probe(train, test).accuracy() == 1


def test_a_ring_is_predicted_by_neighbours_but_not_by_a_linear_probe() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((600, 2)).astype(np.float32)
    labels = (np.hypot(*codes.T) > 1.2).astype(np.int64)
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    assert clusters.predict_by_neighbours(train, test, 5).accuracy() > 0.9
    assert clusters.predict_by_linear_probe(train, test).accuracy() < 0.65


def test_a_frequent_label_has_no_advantage() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((440, 3)).astype(np.float32)
    labels = (np.arange(440) % 11 == 0).astype(np.int64)  # one in eleven, independent of the codes
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    for prediction in (
        clusters.predict_by_neighbours(train, test, 11),
        clusters.predict_by_linear_probe(train, test),
    ):
        assert 0.1 < (prediction.predicted == 1).mean() < 0.9
        assert prediction.accuracy() == pytest.approx(0.5, abs=0.15)


def test_balanced_accuracy_and_its_interval() -> None:
    labels = np.repeat([0, 1], [90, 10]).astype(np.int64)
    assert clusters.balanced_accuracy(labels, np.zeros(100, np.int64)) == 0.5
    predicted = labels.copy()
    predicted[::3] = 1 - predicted[::3]
    prediction = clusters.Prediction(labels, predicted)
    low, high = clusters.accuracy_interval(prediction, 300, 0)
    assert low < prediction.accuracy() < high
    # Ten images of a label, two thirds correct: a standard error of about 0.15 / 2.
    assert 0.2 < high - low < 0.4


def test_the_composition_of_clusters_counts_every_image_once() -> None:
    numbers, labels = np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0])
    rows = clusters.cluster_composition(numbers, labels, ["a", "b"])
    assert [tuple(row.values()) for row in rows] == [
        (0, "a", 1, pytest.approx(1 / 3)),
        (0, "b", 2, pytest.approx(2 / 3)),
        (1, "a", 1, 1.0),
        (1, "b", 0, 0.0),
    ]


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels, predicted = random.integers(1, 4, size=50), random.integers(0, 4, size=50)
    expected = balanced_accuracy_score(labels, predicted)
    assert clusters.balanced_accuracy(labels, predicted) == pytest.approx(expected)
