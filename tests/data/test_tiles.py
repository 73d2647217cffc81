"""Quadrants: where they are, and what is said to be in them."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from latent_atlas.data.store import Store
from latent_atlas.data.tiles import cut, objects_of
from latent_atlas.util.console import UserError


def with_columns(store: Store, columns: dict[str, list[str | None]]) -> Store:
    index = store.index.iloc[: len(next(iter(columns.values())))].assign(**columns)
    return Store(store.path, store.images[: len(index)], pd.DataFrame(index), store.card)


def test_the_order_is_top_left_top_right_bottom_left_bottom_right() -> None:
    image = np.zeros((2, 4, 6, 1), np.uint8)
    image[:, :2, 3:], image[:, 2:, :3], image[:, 2:, 3:] = 1, 2, 3
    parts = cut(image)
    assert parts.shape == (2, 4, 2, 3, 1)
    assert [np.unique(parts[:, q]).tolist() for q in range(4)] == [[0], [1], [2], [3]]
    with pytest.raises(UserError, match="even sides, found 5×6"):
        cut(np.zeros((1, 5, 6, 1), np.uint8))


def test_scenes_name_the_object_of_each_quadrant(make_store: Callable[..., Store]) -> None:
    classes = {"q1": ["car", "none"], "q2": ["tree", "car"], "q3": ["none", "none"]}
    classes["q4"] = ["none", "tree"]
    store = with_columns(make_store(), {f"{q}_class": list(v) for q, v in classes.items()})
    objects = objects_of(store)
    assert objects is not None
    assert objects.names == ["car", "tree"]
    assert objects.labels.tolist() == [[0, 1, -1, -1], [-1, 0, -1, 1]]


def test_boxes_are_shared_among_quadrants(make_store: Callable[..., Store]) -> None:
    boxes = [
        [[0.0, 0.0, 0.5, 0.5], [0.44, 0.1, 0.5, 0.2], [0.25, 0.25, 0.5, 0.5]],
        [[0.48, 0.6, 0.4, 0.2]],
    ]
    categories = [["cat", "dog", "sofa"], ["cat"]]
    store = with_columns(
        make_store(),
        {
            "categories": [*map(json.dumps, categories), None],
            "boxes": [*map(json.dumps, boxes), None],
        },
    )
    objects = objects_of(store)
    assert objects is not None
    assert objects.names == ["cat", "dog", "sofa"]
    # An eighth of the dog is in the first quadrant, a quarter of the sofa in each; a twentieth of
    # the second picture's cat is in the third, too little to count.
    areas = [[1, 0.048, 0.25], [0, 0.352, 0.25], [0, 0, 0.25], [0, 0, 0.25]]
    assert np.allclose(objects.areas[0], areas, atol=1e-6)
    assert objects.labels.tolist() == [[0, 1, 2, 2], [-1, -1, -1, 0], [-1] * 4]


def test_boxes_are_shared_among_nine_tiles(make_store: Callable[..., Store]) -> None:
    store = with_columns(
        make_store(),
        {"categories": [json.dumps(["cat"])], "boxes": [json.dumps([[0.0, 0.0, 0.5, 1 / 3]])]},
    )
    objects = objects_of(store, 3)
    assert objects is not None
    assert np.allclose(objects.areas[0, :, 0], [1, 0.5, 0, 0, 0, 0, 0, 0, 0], atol=1e-6)


def test_where_nothing_is_known_nothing_is_said(make_store: Callable[..., Store]) -> None:
    assert objects_of(make_store()) is None
