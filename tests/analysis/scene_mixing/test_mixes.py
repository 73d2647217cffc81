"""Mixed scenes: donors, masks, pasted pixels, and renderings of mixed codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latent_atlas.analysis.scene_mixing.mixes import (
    Mixes,
    mask_images,
    neighbour_mixes,
    open_mixable,
    paste,
    random_donor_mixes,
    render,
    replaced_pixels,
)
from latent_atlas.config.runs import Run
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError


@pytest.fixture
def trained(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> TrainedRun:
    run = make_run(
        model="dense_ae",
        network="dense",
        likelihood="laplace",
        latent_dim=32,
        loss_weights={"mixing_reconstruction": 1.0},
        options={"width": 0.1, "depth": 0.125},
        epochs=1,
    )
    loop.train(run, make_store(), tmp_path / "run", tmp_path / "run.pt")
    return open_mixable(tmp_path / "run")


def pictures(count: int = 12) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), np.uint8)


def test_random_donors_differ_from_the_reference_and_replace_one_to_three_quadrants() -> None:
    rows = np.arange(100, 200)
    mixes = random_donor_mixes(rows, np.random.default_rng(0))
    assert (mixes.donors != mixes.references[:, None]).all()
    assert np.isin(mixes.donors, rows).all()
    assert set(mixes.replaced.sum(1)) == {1, 2, 3}
    assert mixes.replaced.mean() == pytest.approx(0.5, abs=0.1)


def test_mixes_of_neighbours_follow_the_rule_of_the_training(tmp_path: Path) -> None:
    ids = np.tile(np.arange(1, 11, dtype=np.int32), (11, 4, 1))
    distances = np.tile(np.arange(10, dtype=np.float32), (11, 4, 1))
    neighbours = NeighbourTable(tmp_path, ids, distances, {})
    mixes = neighbour_mixes(np.zeros(500, np.int64), neighbours, 0.5, np.random.default_rng(0))
    near = mixes.donors.argsort(1, kind="stable")
    rows = np.arange(500)
    assert mixes.replaced[rows, near[:, 0]].all()
    assert not mixes.replaced[rows, near[:, 3]].any()
    middle = mixes.donors[rows, near[:, 1]]
    assert (mixes.replaced[rows, near[:, 1]] == (middle <= 5)).all()


def test_pasted_quadrants_are_the_donors_pixels() -> None:
    images = pictures()
    replaced = np.array([[True, False, False, True]])
    pasted = paste(images, Mixes(np.array([0]), np.array([[1, 2, 3, 4]]), replaced))[0]
    assert np.array_equal(pasted[:16, :16], images[1, :16, :16])
    assert np.array_equal(pasted[:16, 16:], images[0, :16, 16:])
    assert np.array_equal(pasted[16:, :16], images[0, 16:, :16])
    assert np.array_equal(pasted[16:, 16:], images[4, 16:, 16:])


def test_mask_images_are_light_where_a_quadrant_is_replaced() -> None:
    images = np.zeros((1, 4, 6, 3), np.uint8)
    replaced = np.array([[False, True, False, False]])
    mixes = Mixes(np.array([0]), np.zeros((1, 4), int), replaced)
    mask = mask_images(replaced_pixels(images, mixes))[0, :, :, 0]
    assert (mask[:2, 3:] == 215).all()
    assert (mask == 215).sum() == 6


def test_a_mix_without_or_with_all_donors_is_a_reconstruction_of_reference_or_donor(
    trained: TrainedRun,
) -> None:
    images = pictures()
    references = np.arange(4)
    donors = np.repeat(np.arange(4, 8)[:, None], 4, axis=1)
    for replaced, rows in ((False, references), (True, donors[:, 0])):
        mixes = Mixes(references, donors, np.full((4, 4), replaced))
        expected = trained.decode(trained.encode(images[rows]))
        assert np.abs(render(trained, images, mixes).astype(int) - expected).max() <= 1


def test_a_rendering_decodes_the_cells_of_each_donor(trained: TrainedRun) -> None:
    images = pictures()
    mixes = Mixes(np.array([0]), np.array([[1, 2, 3, 4]]), np.array([[False, True, False, True]]))
    codes = trained.encode(images[:5]).reshape(5, 4, 8)
    mixed = np.stack([codes[0, 0], codes[2, 1], codes[0, 2], codes[4, 3]]).reshape(1, 32)
    expected = trained.decode(mixed)
    assert np.abs(render(trained, images, mixes).astype(int) - expected).max() <= 1


def test_a_run_without_quadrants_in_its_codes_is_refused(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    loop.train(make_run(epochs=1), make_store(), tmp_path / "vae", tmp_path / "vae.pt")
    with pytest.raises(UserError, match="codes of model 'beta_vae' have no quadrants"):
        open_mixable(tmp_path / "vae")


def test_nine_tiles_are_pasted_and_rendered(trained: TrainedRun) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 96, 96, 3), np.uint8)
    mixes = random_donor_mixes(np.arange(10), np.random.default_rng(0), tiles=3)
    assert mixes.tiles == 3
    assert set(mixes.replaced.sum(1)) <= set(range(1, 9))
    pasted = paste(images, mixes)
    for number, tile in np.ndindex(10, 9):
        row, column = 32 * (tile // 3), 32 * (tile % 3)
        place = (slice(row, row + 32), slice(column, column + 32))
        taken = mixes.replaced[number, tile]
        source = mixes.donors[number, tile] if taken else mixes.references[number]
        assert np.array_equal(pasted[number][place], images[source][place])
    with pytest.raises(UserError, match="run circles_beta_vae: tiles: found 3"):
        render(trained, pictures(10), mixes)


def test_only_the_foreground_of_segments_is_pasted() -> None:
    images = np.zeros((2, 64, 64, 3), np.uint8)
    images[0, 8:24, 8:24] = 255
    images[1] = 20
    images[1, 12:20, 12:28] = 200
    mixes = Mixes(
        np.array([0]), np.array([[1, 1, 1, 1]]), np.array([[True, False, False, False]]), True
    )
    where = replaced_pixels(images, mixes)[0]
    assert where[12:20, 12:28].all()
    assert where[10:22, 10:22].all()  # the reference's own object is removed
    assert not where[:5].any()
    assert not where[32:].any()
    pasted = paste(images, mixes)[0]
    assert (pasted[14:18, 14:26] == 200).all()
    assert (pasted[9, 12] == 20).all()
    assert (pasted[:5] == 0).all()  # the background is the reference's


def test_a_rendering_of_segments_exchanges_the_cells_of_the_foreground(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    run = make_run(
        model="dense_ae",
        network="dense",
        likelihood="laplace",
        latent_dim=64,
        loss_weights={"mixing_reconstruction": 1.0},
        options={"width": 0.1, "depth": 0.125, "halvings": 2},
        epochs=1,
    )
    store = make_store()
    loop.train(run, store, tmp_path / "fine", tmp_path / "fine.pt")
    fine = open_mixable(tmp_path / "fine")
    images, replaced = store.images[:2], np.array([[True, True, True, True]])
    donors = np.ones((1, 4), np.int64)
    whole = render(fine, images, Mixes(np.array([0]), donors, replaced))
    foreground = render(fine, images, Mixes(np.array([0]), donors, replaced, segments=True))
    assert np.abs(whole.astype(int) - fine.decode(fine.encode(images[1:]))).max() <= 1
    assert (whole != foreground).any()
