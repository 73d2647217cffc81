"""Uniform sampling over clusters of any sizes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.training.cluster_sampling import uniform_over_clusters


def test_a_cluster_of_55_percent_is_drawn_as_often_as_the_others() -> None:
    random = np.random.default_rng(0)
    clusters = 10
    labels = random.permutation(np.repeat(np.arange(clusters), [5500, *[500] * 9]))
    # The largest cluster gets another number, so that numbers are not confused with positions.
    labels = (labels + 4) % clusters
    assert np.bincount(labels).argmax() == 4
    drawn = np.bincount(labels[uniform_over_clusters(labels, random)], minlength=clusters)
    assert drawn.tolist() == [1000] * clusters


@given(st.lists(st.sampled_from([0, 2, 3, 7]), min_size=1, max_size=60), st.integers(0, 9))
def test_shares_differ_by_one_at_most_and_members_come_in_turn(
    numbers: list[int], seed: int
) -> None:
    labels = np.array(numbers)
    picks = uniform_over_clusters(labels, np.random.default_rng(seed))
    assert len(picks) == len(labels)
    shares = [int((labels[picks] == cluster).sum()) for cluster in np.unique(labels)]
    assert max(shares) - min(shares) <= 1
    for cluster in np.unique(labels):
        members = np.flatnonzero(labels == cluster)
        counts = np.bincount(picks, minlength=len(labels))[members]
        assert counts.max() - counts.min() <= 1


def test_the_order_is_shuffled_and_depends_on_the_generator() -> None:
    labels = np.repeat(np.arange(4), 50)
    first = uniform_over_clusters(labels, np.random.default_rng(1))
    assert np.array_equal(first, uniform_over_clusters(labels, np.random.default_rng(1)))
    assert not np.array_equal(first, uniform_over_clusters(labels, np.random.default_rng(2)))
    assert (np.diff(labels[first]) != 0).mean() > 0.5
