"""Projections: preserved structure, trustworthiness, class vectors and thumbnails."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from latent_atlas.analysis.latent_space import projections


def test_pca_of_a_plane_keeps_its_distances() -> None:
    random = np.random.default_rng(0)
    plane = random.standard_normal((60, 2)) * [3, 1]
    codes = np.concatenate([plane, np.zeros((60, 4))], 1).astype(np.float32)
    projection = projections.project(codes, "PCA", 30, 0)
    np.testing.assert_allclose(pdist(projection.positions), pdist(plane), rtol=1e-5)
    assert projection.positions[:, 0].std() > projection.positions[:, 1].std()
    assert projection.trust > 0.999


def test_random_positions_have_trustworthiness_one_half() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((200, 4)).astype(np.float32)
    assert projections.trust(codes, random.standard_normal((200, 2))) == pytest.approx(
        0.5, abs=0.05
    )
    assert np.isnan(projections.trust(codes[:2], codes[:2, :2].astype(np.float64)))


@pytest.mark.parametrize("name", ["t-SNE", "UMAP"])
def test_blobs_stay_separate_and_projections_repeat(name: str) -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((40, 3)).astype(np.float32)
    codes[20:] += 30
    first, second = (projections.project(codes, name, 5, 1) for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)
    gap = np.linalg.norm(first.positions[:20].mean(0) - first.positions[20:].mean(0))
    assert gap > 2 * first.positions[:20].std(0).max()
    assert first.trust > 0.9


def test_fuzzy_memberships_are_those_of_umap() -> None:
    codes = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    union = projections.fuzzy_neighbours(codes, 8)
    np.testing.assert_array_equal(union, union.T)
    assert union.min() >= 0
    assert union.max() <= 1 + 1e-12
    assert (union.diagonal() == 0).all()
    nearest = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    np.fill_diagonal(nearest, np.inf)
    assert (union[np.arange(50), nearest.argmin(1)] > 1 - 1e-9).all()
    # For the first code, with neighbours at 1, 2 and 4: e^−0 + e^−1/s + e^−3/s = log₂ 3.
    line = np.array([[0.0], [1], [2], [4]], dtype=np.float32)
    memberships = projections.fuzzy_neighbours(line, 3)
    width = 1 / -np.log(0.476662)  # where x + x³ = log₂ 3 − 1
    assert memberships[0, 3] >= np.exp(-3 / width) - 1e-3
    assert np.exp(-1 / width) + np.exp(-3 / width) == pytest.approx(np.log2(3) - 1, abs=1e-3)


def test_umap_unrolls_a_roll_that_pca_flattens() -> None:
    random = np.random.default_rng(1)
    turn = np.linspace(1.5 * np.pi, 4.5 * np.pi, 300)
    roll = np.stack([turn * np.cos(turn), turn * np.sin(turn), 20 * random.random(300)], 1)
    codes = roll.astype(np.float32)
    flat, rolled = (projections.project(codes, name, 30, 0) for name in ("PCA", "UMAP"))
    assert rolled.trust > 0.97
    assert rolled.trust > flat.trust + 0.05


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of PCA, on equal codes
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_umap_of_few_or_equal_codes(count: int) -> None:
    assert np.isfinite(projections.umap(np.eye(5, 3, dtype=np.float32)[:count], 30, 0)).all()
    same = projections.umap(np.ones((count, 3), np.float32), 30, 0)
    assert np.isfinite(same).all()


@pytest.mark.parametrize("name", ["PCA", "t-SNE"])
def test_a_single_latent_has_a_projection(name: str) -> None:
    projection = projections.project(np.arange(20, dtype=np.float32)[:, None], name, 5, 0)
    assert projection.positions.shape == (20, 2)
    assert projection.trust > 0.9


def test_a_line_is_projected_to_a_line() -> None:
    projection = projections.project(np.arange(20, dtype=np.float32)[:, None], "PCA", 5, 0)
    assert (projection.positions[:, 1] == 0).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of PCA, on equal codes
@pytest.mark.parametrize("name", projections.METHODS)
def test_equal_codes_have_finite_positions_and_no_trustworthiness(name: str) -> None:
    projection = projections.project(np.full((40, 3), 0.3, np.float32), name, 5, 0)
    assert np.isfinite(projection.positions).all()
    assert np.isnan(projection.trust)


def test_class_vectors_go_from_the_mean_of_all_to_the_mean_of_each_label() -> None:
    positions = np.array([[0.0, 0], [2, 0], [0, 6], [99, 99]])
    mean, ends = projections.class_vectors(positions, np.array([0, 0, 2, -1]))
    np.testing.assert_allclose(mean, [2 / 3, 2])
    assert sorted(ends) == [0, 2]
    np.testing.assert_allclose(ends[0], [1, 0])
    np.testing.assert_allclose(ends[2], [0, 6])


def test_a_cell_shows_the_image_nearest_to_its_centre() -> None:
    positions = np.array([[0.0, 0], [0.26, 0.24], [1, 1], [0.9, 0.4]])
    images = np.zeros((4, 2, 2, 3), np.uint8)
    shown = projections.thumbnails(images, positions, cells=2)
    assert [row for row, _, _ in shown] == [1, 3, 2]
    assert [(x, y) for _, x, y in shown] == [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75)]
    assert len(projections.thumbnails(images, np.zeros((4, 2)), cells=3)) == 1
