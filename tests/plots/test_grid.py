"""Grids: every pixel where it belongs, and the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from latent_atlas.plots.grid import enlargement, save_figure, save_grid, tile


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 3), st.sampled_from([1, 3]))
def test_every_image_stands_in_its_cell(count: int, columns: int, gap: int, channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 4, channels), dtype=np.uint8)
    canvas = tile(images, columns, gap)
    for number, image in enumerate(images):
        top, left = (number // columns) * (5 + gap), (number % columns) * (4 + gap)
        np.testing.assert_array_equal(
            canvas[top : top + 5, left : left + 4], np.broadcast_to(image, (5, 4, 3))
        )


def test_a_grid_shows_its_pixels_whole(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    save_grid(tmp_path / "a.png", images, 3, "A title", ["x", "y", "z"], ["r1", "r2"], enlarge=4)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    expected = np.kron(tile(images, 3), np.ones((4, 4, 1), dtype=np.uint8))
    height, width, _ = expected.shape
    bottom = picture[-8 - height : -8]
    found = [
        x
        for x in range(bottom.shape[1] - width + 1)
        if (bottom[:, x : x + width] == expected).all()
    ]
    assert len(found) == 1


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    for name in ("a", "b"):
        save_grid(tmp_path / f"{name}.png", images, 2, "title")
        save_figure(tmp_path / f"{name}f.png", Figure())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "af.png").read_bytes() == (tmp_path / "bf.png").read_bytes()


def test_enlargement() -> None:
    assert [enlargement(*size) for size in [(96, 64), (28, 28), (32, 32), (256, 256)]] == [
        1,
        3,
        3,
        1,
    ]
