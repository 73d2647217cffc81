"""Clusters and labels, where the groups are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from latent_atlas.analysis.latent_space import clusters as groups
from latent_atlas.analysis.latent_space.spread import Codes, Ints


def blobs(kinds: int, each: int = 40, apart: float = 30.0, dim: int = 5) -> tuple[Codes, Ints]:
    random = np.random.default_rng(0)
    middles = random.permutation(np.eye(dim))[:kinds] * apart
    labels = np.repeat(np.arange(kinds), each)
    codes = middles[labels] + random.standard_normal((kinds * each, dim))
    return codes.astype(np.float32), labels.astype(np.int64)


@pytest.mark.parametrize("method", list(groups.METHODS))
@pytest.mark.parametrize("kinds", [2, 4])
def test_blobs_are_found_and_counted(method: str, kinds: int) -> None:
    codes, labels = blobs(kinds)
    found = groups.cluster(codes, method, range(2, 7), seed=0)
    assert found.clusters == kinds
    assert groups.agreement(found.labels, labels) == {"ami": 1, "ari": 1, "purity": 1}
    assert found.silhouettes[kinds] > 0.8


@pytest.mark.parametrize("method", list(groups.METHODS))
def test_a_clustering_repeats(method: str) -> None:
    codes = np.random.default_rng(0).standard_normal((80, 4)).astype(np.float32)
    first, second = (groups.METHODS[method](codes, 4, 3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_too_few_codes_cannot_be_clustered() -> None:
    codes, _ = blobs(2, each=2)
    assert set(groups.cluster(codes, "k_means", range(2, 9), 0).silhouettes) == {2, 3}
    with pytest.raises(ValueError, match="found 4 codes, expected more than 4"):
        groups.cluster(codes, "k_means", range(4, 9), 0)


def test_agreement_does_not_depend_on_the_names_of_clusters() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert groups.agreement((labels + 1) % 3, labels)["ami"] == pytest.approx(1)
    assert groups.agreement(np.zeros(6, np.int64), labels)["ami"] == pytest.approx(0)
    assert groups.agreement(np.zeros(6, np.int64), labels)["purity"] == pytest.approx(1 / 3)


def test_random_clusters_agree_by_chance_alone() -> None:
    random = np.random.default_rng(0)
    found = groups.agreement(random.integers(4, size=2000), random.integers(4, size=2000))
    assert abs(found["ami"]) < 0.01
    assert abs(found["ari"]) < 0.01
    assert found["purity"] > 0.25


def test_halves_are_halves_and_the_same_for_all_models() -> None:
    first, second = groups.halves(101, 3, 7), groups.halves(101, 3, 7)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert len(np.unique(a)) == 50
    assert not np.array_equal(first[0], first[1])


def test_halves_give_the_standard_error_of_a_mean() -> None:
    """The rule behind the intervals, where the answer is known: sd/√n of a mean."""
    values = np.random.default_rng(0).standard_normal(400)
    means = [values[half].mean() for half in groups.halves(400, 4000, 0)]
    assert np.std(means) == pytest.approx(values.std() / 20, rel=0.05)


def test_the_agreement_of_halves_is_certain_where_groups_are_plain() -> None:
    codes, labels = blobs(3)
    np.testing.assert_allclose(groups.half_sample_ami(codes, labels, 6, 0), 1)
    mixed = groups.half_sample_ami(codes, np.random.default_rng(1).permutation(labels), 30, 0)
    assert abs(mixed.mean()) < 0.05
    assert mixed.std() > 0.005


def test_labels_of_blobs_are_told_right() -> None:
    codes, labels = blobs(3)
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    assert groups.nearest_neighbours(train, test, 5).accuracy() == 1
    assert groups.linear_probe(train, test).accuracy() == 1


def test_a_ring_is_told_by_neighbours_and_not_by_a_line() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((600, 2)).astype(np.float32)
    labels = (np.hypot(*codes.T) > 1.2).astype(np.int64)
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    assert groups.nearest_neighbours(train, test, 5).accuracy() > 0.9
    assert groups.linear_probe(train, test).accuracy() < 0.65


def test_a_frequent_label_wins_nothing_by_its_number() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((440, 3)).astype(np.float32)
    labels = (np.arange(440) % 11 == 0).astype(np.int64)  # one in eleven, told by nothing
    train, test = (codes[::2], labels[::2]), (codes[1::2], labels[1::2])
    for predicted in (
        groups.nearest_neighbours(train, test, 11),
        groups.linear_probe(train, test),
    ):
        assert 0.1 < (predicted.found == 1).mean() < 0.9
        assert predicted.accuracy() == pytest.approx(0.5, abs=0.15)


def test_balanced_accuracy_and_its_interval() -> None:
    truth = np.repeat([0, 1], [90, 10]).astype(np.int64)
    assert groups.balanced(truth, np.zeros(100, np.int64)) == 0.5
    found = truth.copy()
    found[::3] = 1 - found[::3]
    predicted = groups.Predicted(truth, found)
    low, high = groups.accuracy_interval(predicted, 300, 0)
    assert low < predicted.accuracy() < high
    # Ten images of a label, two thirds right: a standard error of about 0.15 / 2.
    assert 0.2 < high - low < 0.4


def test_the_make_up_of_clusters_counts_every_image_once() -> None:
    clusters, labels = np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0])
    rows = groups.make_up(clusters, labels, ["a", "b"])
    assert [tuple(row.values()) for row in rows] == [
        (0, "a", 1, pytest.approx(1 / 3)),
        (0, "b", 2, pytest.approx(2 / 3)),
        (1, "a", 1, 1.0),
        (1, "b", 0, 0.0),
    ]


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth, found = random.integers(1, 4, size=50), random.integers(0, 4, size=50)
    assert groups.balanced(truth, found) == pytest.approx(balanced_accuracy_score(truth, found))
