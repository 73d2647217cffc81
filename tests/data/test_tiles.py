"""Tiles: their order, and the objects in them."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from latent_atlas.data.store import Store
from latent_atlas.data.tiles import cut_tiles, join_tiles, objects_in_tiles
from latent_atlas.util.console import UserError


def with_columns(store: Store, columns: dict[str, list[str | None]]) -> Store:
    index = store.index.iloc[: len(next(iter(columns.values())))].assign(**columns)
    return Store(store.path, store.images[: len(index)], pd.DataFrame(index), store.card)


def test_quadrants_are_top_left_top_right_bottom_left_bottom_right() -> None:
    image = np.zeros((2, 4, 6, 1), np.uint8)
    image[:, :2, 3:], image[:, 2:, :3], image[:, 2:, 3:] = 1, 2, 3
    parts = cut_tiles(image)
    assert parts.shape == (2, 4, 2, 3, 1)
    assert [np.unique(parts[:, q]).tolist() for q in range(4)] == [[0], [1], [2], [3]]
    with pytest.raises(UserError, match="even sides; found images of 5×6"):
        cut_tiles(np.zeros((1, 5, 6, 1), np.uint8))


@pytest.mark.parametrize("tiles", [2, 3])
def test_join_tiles_is_the_inverse_of_cut_tiles(tiles: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 18, 3), np.uint8)
    assert np.array_equal(join_tiles(cut_tiles(images, tiles)), images)


def test_drawn_scenes_have_one_object_for_each_quadrant(make_store: Callable[..., Store]) -> None:
    classes = {"q1": ["car", "none"], "q2": ["tree", "car"], "q3": ["none", "none"]}
    classes["q4"] = ["none", "tree"]
    store = with_columns(make_store(), {f"{q}_class": list(v) for q, v in classes.items()})
    objects = objects_in_tiles(store)
    assert objects is not None
    assert objects.names == ["car", "tree"]
    assert objects.labels.tolist() == [[0, 1, -1, -1], [-1, 0, -1, 1]]


def test_the_areas_of_boxes_are_divided_among_quadrants(make_store: Callable[..., Store]) -> None:
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
    objects = objects_in_tiles(store)
    assert objects is not None
    assert objects.names == ["cat", "dog", "sofa"]
    # The first quadrant holds an eighth of the dog; each holds a quarter of the sofa. The third
    # holds a twentieth of the second image's cat, which is too little to count.
    areas = [[1, 0.048, 0.25], [0, 0.352, 0.25], [0, 0, 0.25], [0, 0, 0.25]]
    assert np.allclose(objects.areas[0], areas, atol=1e-6)
    assert objects.labels.tolist() == [[0, 1, 2, 2], [-1, -1, -1, 0], [-1] * 4]


def test_the_areas_of_boxes_are_divided_among_nine_tiles(make_store: Callable[..., Store]) -> None:
    store = with_columns(
        make_store(),
        {"categories": [json.dumps(["cat"])], "boxes": [json.dumps([[0.0, 0.0, 0.5, 1 / 3]])]},
    )
    objects = objects_in_tiles(store, 3)
    assert objects is not None
    assert np.allclose(objects.areas[0, :, 0], [1, 0.5, 0, 0, 0, 0, 0, 0, 0], atol=1e-6)


def test_objects_of_a_store_without_annotations_are_none(make_store: Callable[..., Store]) -> None:
    assert objects_in_tiles(make_store()) is None
