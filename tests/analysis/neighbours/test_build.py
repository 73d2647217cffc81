"""Neighbour search: candidates, every kind of search, and incomplete lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.neighbours.agreement import score_neighbours
from latent_atlas.analysis.neighbours.build import candidate_set, find_neighbours
from latent_atlas.config.schema import QuadrantNeighbours
from latent_atlas.data.store import Store
from latent_atlas.util.console import FieldError, UserError
from tests.analysis.neighbours.conftest import Separated


@pytest.mark.parametrize("search", ["clusters", "exact", "ivf"])
def test_every_search_finds_neighbours_of_the_same_class(
    search: str, settings: QuadrantNeighbours, separated: Separated
) -> None:
    features, objects, candidates = separated
    changed = settings.model_copy(update={"search": search})
    ids, distances, summary = find_neighbours(features, candidates, changed, 0, "test")
    assert ids.max() < 100, "neighbours come from the training split"
    assert (np.diff(distances, axis=2) >= 0).all()
    scores = score_neighbours(features, ids, candidates, objects)
    assert scores["agreement"] == scores["agreement_exact"] == 1
    assert scores["recall"] > 0.9
    assert 0.25 < scores["agreement_chance"] < 0.42
    assert [sum(sizes) for sizes in summary["cluster_sizes"]] == (
        [120] * 4 if search == "clusters" else []
    )


def test_lists_of_small_clusters_are_filled_and_counted(
    settings: QuadrantNeighbours, separated: Separated
) -> None:
    features, _, candidates = separated
    small = settings.model_copy(update={"clusters": 30})
    ids, distances, summary = find_neighbours(features, candidates, small, 0, "test")
    assert all(count > 0 for count in summary["small_clusters"])
    assert all(count > 0 for count in summary["filled"])
    assert np.isfinite(distances).all()
    assert (ids >= 0).all()


def store_with_index(store: Store, **columns: Any) -> Store:
    index = pd.DataFrame(store.index.assign(**columns))
    return Store(store.path, store.images, index, store.card)


def test_images_of_one_photograph_are_one_group(
    settings: QuadrantNeighbours, make_store: Callable[..., Store]
) -> None:
    pairs = [f"{i // 2:064d}" for i in range(40)]
    store = store_with_index(make_store(count=40), sha256=pairs, split="train")
    assert candidate_set(store, settings).groups.tolist() == [i // 2 for i in range(40)]
    all_images = settings.model_copy(update={"distinct": False})
    assert candidate_set(store, all_images).groups.tolist() == list(range(40))


def test_too_few_images_or_too_many_clusters_are_refused(
    settings: QuadrantNeighbours, make_store: Callable[..., Store]
) -> None:
    store = make_store(count=40)
    fours = [f"{i // 4:064d}" for i in range(40)]
    with pytest.raises(UserError, match="found 10 different images in the training split"):
        candidate_set(store_with_index(store, sha256=fours, split="train"), settings)
    many = settings.model_copy(update={"clusters": 50})
    with pytest.raises(FieldError, match=r"^clusters: found 50, expected at most 40"):
        candidate_set(store_with_index(store, split="train"), many)
    exact = many.model_copy(update={"search": "exact"})
    assert candidate_set(store_with_index(store, split="train"), exact).mask.all()
