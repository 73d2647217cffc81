"""Image grids: the place of every pixel, repeated bytes, and example rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from latent_atlas.plots.grid import enlargement, sample_rows, save_figure, save_grid, tile


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 3), st.sampled_from([1, 3]))
def test_every_image_is_in_its_cell(count: int, columns: int, gap: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 4, channels), dtype=np.uint8)
    canvas = tile(images, columns, gap)
    for number, image in enumerate(images):
        top, left = (number // columns) * (5 + gap), (number % columns) * (4 + gap)
        np.testing.assert_array_equal(
            canvas[top : top + 5, left : left + 4], np.broadcast_to(image, (5, 4, 3))
        )


def test_a_saved_grid_has_whole_enlarged_pixels(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    save_grid(tmp_path / "a.png", images, 3, "A title", ["x", "y", "z"], ["r1", "r2"], enlarge=4)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    expected = np.kron(tile(images, 3), np.ones((4, 4, 1), dtype=np.uint8))
    height, width, _ = expected.shape
    bottom = picture[-8 - height : -8]
    offsets = range(bottom.shape[1] - width + 1)
    assert sum((bottom[:, x : x + width] == expected).all() for x in offsets) == 1


def test_grids_and_figures_have_the_same_bytes_each_time(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    for name in ("a", "b"):
        save_grid(tmp_path / f"{name}.png", images, 2, "title")
        save_figure(tmp_path / f"{name}f.png", Figure())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "af.png").read_bytes() == (tmp_path / "bf.png").read_bytes()


def test_enlargement_is_the_nearest_whole_factor() -> None:
    sizes = [(96, 64), (28, 28), (32, 32), (256, 256)]
    assert [enlargement(*size) for size in sizes] == [1, 3, 3, 1]


@pytest.mark.parametrize("count", [1, 3, 9])
def test_rows_repeat_if_there_are_too_few(count: int) -> None:
    rows = sample_rows(np.arange(count), 8, seed=0)
    assert len(rows) == 8
    assert set(rows[: min(count, 8)]) <= set(range(count))
    assert len(set(rows.tolist())) == min(count, 8)
