"""Foreground masks: agreement with drawn scenes, and their conversion to cells of a code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from latent_atlas.data.pixels import to_images
from latent_atlas.data.synthetic.scenes import EMPTY, QUADRANTS, scenes
from latent_atlas.data.tiles import cut_tiles, join_tiles
from latent_atlas.models import foreground


@pytest.mark.parametrize(("tiles", "size"), [(2, (4, 6)), (3, (6, 9))])
def test_tiles_are_those_of_the_stores(tiles: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    parts = foreground.cut(images, tiles)
    expected = cut_tiles(pixels, tiles)
    assert np.array_equal(parts.permute(0, 1, 3, 4, 2).numpy(), expected)
    assert torch.equal(foreground.join(parts, tiles), images)
    assert np.array_equal(join_tiles(expected), pixels)


def test_each_tile_is_taken_from_its_own_image() -> None:
    others = torch.arange(9.0).view(1, 9, 1, 1, 1).expand(2, 9, 3, 6, 6)
    tiles = foreground.own_tiles(others, 3)
    assert tiles.shape == (2, 3, 6, 6)
    assert tiles[1, 0, ::2, ::2].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_the_foreground_is_the_drawn_objects() -> None:
    factors = scenes.factors(60, 5)
    bare = factors.assign(**{f"{quadrant}_class": EMPTY for quadrant in QUADRANTS})
    pictures, background = (scenes.render(one, 64, 64) for one in (factors, bare))
    drawn = torch.from_numpy((pictures != background).any(-1))[:, None].float()
    mask = foreground.foreground_mask(to_images(torch.from_numpy(pictures)), 2)
    truth = foreground.cut(drawn, 2) > 0
    estimated = foreground.cut(mask[:, None].float(), 2) > 0
    has_object = truth.flatten(2).any(2)
    both = (truth & estimated).flatten(2).sum(2)
    either = (truth | estimated).flatten(2).sum(2)
    assert truth.flatten(2).float().mean(2)[has_object].mean() < 0.4
    assert (both / either)[has_object].mean() > 0.75
    assert estimated.flatten(2).float().mean(2)[~has_object].mean() < 0.05


def test_a_square_is_foreground_and_a_stripe_through_the_tile_is_not() -> None:
    images = torch.zeros(1, 3, 128, 128)
    images[0, :, 16:48, 16:48] = 1.0  # in the first quadrant, which is reduced first
    images[0, :, 24:32, 64:] = 1.0  # from border to border of the second
    mask = foreground.foreground_mask(images, 2)[0]
    inside = torch.zeros(128, 128, dtype=torch.bool)
    inside[16:48, 16:48] = True
    assert (mask & inside).sum() / (mask | inside).sum() > 0.75
    assert not mask[:, 64:].any()
    assert not mask[64:].any()


def flat(mask: Tensor) -> list[list[bool]]:
    cells: list[list[bool]] = mask.view(4, 4).tolist()
    return cells


def test_a_cell_counts_where_a_quarter_is_covered_and_one_per_tile_at_least() -> None:
    masks = torch.zeros(1, 16, 16, dtype=torch.bool)
    masks[0, 4:8, 0:8] = True  # two whole cells
    masks[0, 0:1, 8:12] = True  # a quarter of a cell
    masks[0, 15, 15] = True  # a sixteenth, and the most in its tile
    assert flat(foreground.mask_to_cells(masks, (4, 4), 2)) == [
        [False, False, True, False],
        [True, True, False, False],
        [True, False, False, False],  # nothing in this tile: its first cell
        [False, False, False, True],
    ]
