"""The neighbour table: reading and writing, damaged files, and evenly drawn neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latent_atlas.data.neighbour_table import (
    NEIGHBOURS,
    Distances,
    Ids,
    NeighbourTable,
    open_neighbours,
    write_neighbours,
)
from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError

COUNT = 30
QUADRANTS = 4


@pytest.fixture
def arrays() -> tuple[Ids, Distances]:
    """The neighbours of a quadrant are the rows after it; all distances differ."""
    steps = 1 + np.arange(NEIGHBOURS) + np.arange(QUADRANTS)[:, None]
    ids = (np.arange(COUNT)[:, None, None] + steps) % COUNT
    distances = np.arange(ids.size, dtype=np.float32).reshape(ids.shape)
    return ids.astype(np.int32), distances


@pytest.fixture
def neighbours(tmp_path: Path, arrays: tuple[Ids, Distances]) -> NeighbourTable:
    return write_neighbours(tmp_path / "n", *arrays, {"store": {"digest": "abc"}})


def test_a_written_table_is_read_back(
    neighbours: NeighbourTable, arrays: tuple[Ids, Distances]
) -> None:
    again = open_neighbours(neighbours.path)
    assert np.array_equal(again.ids, arrays[0])
    assert np.array_equal(again.distances, arrays[1])
    assert again.digest == neighbours.digest
    assert not list(neighbours.path.parent.glob(".*.part"))


def test_the_digest_depends_on_ids_and_distances_only(
    tmp_path: Path, neighbours: NeighbourTable, arrays: tuple[Ids, Distances]
) -> None:
    card = {"store": {"digest": "other"}}
    assert write_neighbours(tmp_path / "same", *arrays, card).digest == neighbours.digest
    longer = (arrays[1] * 2).astype(np.float32)
    assert write_neighbours(tmp_path / "b", arrays[0], longer, card).digest != neighbours.digest


def test_neighbours_are_drawn_evenly_and_independently_for_each_quadrant(
    neighbours: NeighbourTable,
) -> None:
    draws = 20_000
    rows = np.full(draws, 7)
    ids, quantiles = neighbours.draw(rows, np.random.default_rng(0))
    assert ids.shape == quantiles.shape == (draws, QUADRANTS)
    assert (str(ids.dtype), str(quantiles.dtype)) == ("int64", "float32")
    places = np.empty_like(ids)
    for quadrant in range(QUADRANTS):
        listed = neighbours.ids[7, quadrant]
        places[:, quadrant] = np.argsort(listed)[np.searchsorted(np.sort(listed), ids[:, quadrant])]
        shares = np.bincount(places[:, quadrant], minlength=NEIGHBOURS) / draws
        assert np.abs(shares - 1 / NEIGHBOURS).max() < 0.01
    correlation = np.corrcoef(places.T) - np.eye(QUADRANTS)
    assert np.abs(correlation).max() < 0.03


def test_draws_depend_on_the_generator_only(neighbours: NeighbourTable) -> None:
    rows = np.array([3, 5, 3])
    first = neighbours.draw(rows, np.random.default_rng(1))
    second = neighbours.draw(rows, np.random.default_rng(1))
    other = neighbours.draw(rows, np.random.default_rng(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_quantiles_are_those_of_the_empirical_distribution(neighbours: NeighbourTable) -> None:
    size = neighbours.distances.size
    shares = neighbours.quantiles(np.asarray(neighbours.distances))
    # The distances are 0, 1, 2, …, so d + 1 of them are no larger than d.
    assert np.allclose(shares, (neighbours.distances + 1) / size)
    assert neighbours.quantiles(np.array([-1, size + 5], np.float32)).tolist() == [0, 1]


def test_incomplete_or_unsorted_lists_are_refused(
    tmp_path: Path, arrays: tuple[Ids, Distances]
) -> None:
    ids, distances = arrays
    itself, missing = ids.copy(), ids.copy()
    itself[4, 2, 1], missing[0, 0, 9] = 4, -1
    for wrong in (itself, missing):
        with pytest.raises(ValueError, match="incomplete list or an image in its own list"):
            write_neighbours(tmp_path / "n", wrong, distances, {})
    with pytest.raises(ValueError, match="not ascending"):
        write_neighbours(tmp_path / "n", ids, distances[:, :, ::-1], {})
    assert not (tmp_path / "n").exists()


def test_damaged_and_missing_files_are_refused(neighbours: NeighbourTable) -> None:
    changed = np.array(neighbours.ids)
    changed[0, 0, 0] += 1
    np.save(neighbours.path / "ids.npy", changed)
    with pytest.raises(UserError, match=r"do not match card\.json"):
        open_neighbours(neighbours.path)
    (neighbours.path / "ids.npy").write_bytes(b"no array")
    with pytest.raises(UserError, match="damaged neighbour table"):
        open_neighbours(neighbours.path)
    (neighbours.path / "ids.npy").unlink()
    with pytest.raises(
        UserError, match=r"ids\.npy: file is missing; make it with `python -m stages\.neigh"
    ):
        open_neighbours(neighbours.path)


def test_neighbours_of_other_images_are_refused(
    neighbours: NeighbourTable, make_store: Callable[..., Store]
) -> None:
    store = make_store()
    with pytest.raises(UserError, match="found neighbours of other images"):
        neighbours.check(store)
    card = neighbours.card | {"store": {"digest": store.digest}}
    (neighbours.path / "card.json").write_text(json.dumps(card))
    open_neighbours(neighbours.path).check(store)
