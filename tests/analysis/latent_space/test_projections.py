"""Maps: what they keep, how they are judged, and what is shown on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from latent_atlas.analysis.latent_space import projections


def test_a_plane_is_mapped_as_it_is() -> None:
    random = np.random.default_rng(0)
    plane = random.standard_normal((60, 2)) * [3, 1]
    codes = np.concatenate([plane, np.zeros((60, 4))], 1).astype(np.float32)
    laid = projections.lay_out(codes, "PCA", 30, 0)
    np.testing.assert_allclose(pdist(laid.places), pdist(plane), rtol=1e-5)
    assert laid.places[:, 0].std() > laid.places[:, 1].std()
    assert laid.trust > 0.999


def test_places_at_random_are_trusted_by_half() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((200, 4)).astype(np.float32)
    assert projections.trust(codes, random.standard_normal((200, 2))) == pytest.approx(
        0.5, abs=0.05
    )
    assert np.isnan(projections.trust(codes[:2], codes[:2, :2].astype(np.float64)))


@pytest.mark.parametrize("name", ["t-SNE", "UMAP"])
def test_blobs_stay_apart_and_maps_repeat(name: str) -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((40, 3)).astype(np.float32)
    codes[20:] += 30
    first, second = (projections.lay_out(codes, name, 5, 1) for _ in range(2))
    np.testing.assert_array_equal(first.places, second.places)
    gap = np.linalg.norm(first.places[:20].mean(0) - first.places[20:].mean(0))
    assert gap > 2 * first.places[:20].std(0).max()
    assert first.trust > 0.9


def test_the_sureness_of_neighbours_is_as_umap_says() -> None:
    codes = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    either = projections.fuzzy_neighbours(codes, 8)
    np.testing.assert_array_equal(either, either.T)
    assert either.min() >= 0
    assert either.max() <= 1 + 1e-12
    assert (either.diagonal() == 0).all()
    nearest = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    np.fill_diagonal(nearest, np.inf)
    assert (either[np.arange(50), nearest.argmin(1)] > 1 - 1e-9).all()
    # Three at 1, 2 and 4 beyond the first: e^−0 + e^−1/s + e^−3/s = log₂ 3 for the end of the line.
    line = np.array([[0.0], [1], [2], [4]], dtype=np.float32)
    seen = projections.fuzzy_neighbours(line, 3)
    width = 1 / -np.log(0.476662)  # where x + x³ = log₂ 3 − 1
    assert seen[0, 3] >= np.exp(-3 / width) - 1e-3
    assert np.exp(-1 / width) + np.exp(-3 / width) == pytest.approx(np.log2(3) - 1, abs=1e-3)


def test_umap_unrolls_what_pca_flattens() -> None:
    random = np.random.default_rng(1)
    turn = np.linspace(1.5 * np.pi, 4.5 * np.pi, 300)
    roll = np.stack([turn * np.cos(turn), turn * np.sin(turn), 20 * random.random(300)], 1)
    codes = roll.astype(np.float32)
    flat, rolled = (projections.lay_out(codes, name, 30, 0) for name in ("PCA", "UMAP"))
    assert rolled.trust > 0.97
    assert rolled.trust > flat.trust + 0.05


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of PCA, on equal codes
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_umap_of_few_or_equal_codes(count: int) -> None:
    assert np.isfinite(projections.umap(np.eye(5, 3, dtype=np.float32)[:count], 30, 0)).all()
    same = projections.umap(np.ones((count, 3), np.float32), 30, 0)
    assert np.isfinite(same).all()


@pytest.mark.parametrize("name", ["PCA", "t-SNE"])
def test_a_line_has_a_map_too(name: str) -> None:
    laid = projections.lay_out(np.arange(20, dtype=np.float32)[:, None], name, 5, 0)
    assert laid.places.shape == (20, 2)
    assert laid.trust > 0.9


def test_a_line_is_mapped_to_a_line() -> None:
    laid = projections.lay_out(np.arange(20, dtype=np.float32)[:, None], "PCA", 5, 0)
    assert (laid.places[:, 1] == 0).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of PCA, on equal codes
@pytest.mark.parametrize("name", projections.MAPS)
def test_a_map_of_equal_codes_is_one_place_that_nobody_can_trust(name: str) -> None:
    laid = projections.lay_out(np.full((40, 3), 0.3, np.float32), name, 5, 0)
    assert np.isfinite(laid.places).all()
    assert np.isnan(laid.trust)


def test_vectors_go_from_the_middle_of_all_to_the_middle_of_each_label() -> None:
    places = np.array([[0.0, 0], [2, 0], [0, 6], [99, 99]])
    middle, ends = projections.class_vectors(places, np.array([0, 0, 2, -1]))
    np.testing.assert_allclose(middle, [2 / 3, 2])
    assert sorted(ends) == [0, 2]
    np.testing.assert_allclose(ends[0], [1, 0])
    np.testing.assert_allclose(ends[2], [0, 6])


def test_a_cell_shows_the_image_nearest_its_middle() -> None:
    places = np.array([[0.0, 0], [0.26, 0.24], [1, 1], [0.9, 0.4]])
    images = np.zeros((4, 2, 2, 3), np.uint8)
    shown = projections.thumbnails(images, places, cells=2)
    assert [row for row, _, _ in shown] == [1, 3, 2]
    assert [(x, y) for _, x, y in shown] == [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75)]
    assert len(projections.thumbnails(images, np.zeros((4, 2)), cells=3)) == 1
