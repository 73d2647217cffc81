"""Random, closest and farthest pairs of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.analysis.interpolation.pairs import extreme_pairs, random_pairs, style_members
from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError


def test_random_pairs_have_their_styles_and_two_different_images(
    make_store: Callable[..., Store],
) -> None:
    store = make_store(count=80, classes=3)
    members = style_members(store)
    labels = store.index["label"].to_numpy()[store.rows("valid")]
    parts = list(random_pairs(members, 10, seed=1))
    groups = [(pairs.experiment, pairs.group) for pairs in parts]
    assert groups[:3] == [("intra", f"class{i}") for i in range(3)]
    assert groups[3:] == [("inter", f"class{a} – class{b}") for a, b in ((0, 1), (0, 2), (1, 2))]
    for pairs in parts:
        a, *b = pairs.group.split(" – ")
        assert set(labels[pairs.first]) == {a}
        assert set(labels[pairs.second]) == set(b or [a])
        assert (pairs.first != pairs.second).all()
        distinct = {*zip(pairs.first, pairs.second, strict=True)}
        assert len(distinct) == len(pairs.first) <= 10
    again = list(random_pairs(members, 10, seed=1))
    assert all(np.array_equal(a.first, b.first) for a, b in zip(parts, again, strict=True))
    other = list(random_pairs(members, 10, seed=2))
    assert any(not np.array_equal(a.first, b.first) for a, b in zip(parts, other, strict=True))


def test_few_images_give_all_pairs() -> None:
    members = {"a": np.array([3, 5, 9]), "b": np.array([4, 6])}
    by_group = {pairs.group: pairs for pairs in random_pairs(members, 100, seed=0)}
    assert len(by_group["a"].first) == 6  # in either order
    assert len(by_group["a – b"].first) == 6
    assert set(by_group["b"].first) == {4, 6}


def test_extreme_pairs_are_the_closest_and_the_farthest() -> None:
    codes = np.array([[0], [1], [10], [10.5], [30]], np.float32)
    members = {"a": np.array([0, 1, 4]), "b": np.array([2, 3])}
    extremes = {
        (pairs.experiment, pairs.group): {int(pairs.first[0]), int(pairs.second[0])}
        for pairs in extreme_pairs(members, codes)
    }
    assert extremes == {
        ("closest", "a"): {0, 1},
        ("farthest", "a"): {0, 4},
        ("closest", "b"): {2, 3},
        ("farthest", "b"): {2, 3},
        ("closest", "a – b"): {1, 2},
    }


def test_extreme_pairs_of_equal_codes_have_two_different_images() -> None:
    members = {"a": np.array([0, 1, 4]), "b": np.array([2, 3])}
    for pairs in extreme_pairs(members, np.full((5, 2), 0.3, np.float32)):
        assert (pairs.first != pairs.second).all(), pairs


def test_a_style_with_one_validation_image_is_refused(make_store: Callable[..., Store]) -> None:
    store = make_store()
    labels = store.index["label"].to_numpy().copy()
    labels[store.rows("valid")] = "class1"
    labels[store.rows("valid")[0]] = "class0"
    relabelled = replace(store, index=store.index.assign(label=labels))
    message = r"data blobs: found 1 validation images of 'class0', expected at least 2"
    with pytest.raises(UserError, match=message):
        style_members(relabelled)


def test_images_without_labels_are_one_style(make_store: Callable[..., Store]) -> None:
    assert list(style_members(make_store(classes=0))) == ["all"]
