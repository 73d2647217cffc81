"""L1, PSNR and SSIM of pairs, over all pixels and over some."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics import paired
from latent_atlas.metrics.reconstruction import psnr_and_ssim

RANDOM = np.random.default_rng(0)


def noisy(count: int = 3, channels: int = 3) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, 16, 20, channels), dtype=np.uint8)


def test_scores_of_known_differences() -> None:
    black, grey = np.zeros((2, 16, 16, 1), np.uint8), np.full((2, 16, 16, 1), 51, np.uint8)
    found = paired.compare(black, grey)
    np.testing.assert_allclose(found["l1"], 0.2)
    np.testing.assert_allclose(found["psnr"], -20 * np.log10(0.2))
    same = paired.compare(grey, grey)
    assert same["l1"].tolist() == [0, 0]
    assert same["psnr"].tolist() == [100, 100]
    np.testing.assert_allclose(same["ssim"], 1)


def test_whole_pictures_have_the_scores_of_reconstructions() -> None:
    a, b = noisy(), noisy()
    found = paired.compare(a, b)
    expected = psnr_and_ssim(a, b)
    np.testing.assert_array_equal(found["psnr"], expected[:, 0])
    np.testing.assert_array_equal(found["ssim"], expected[:, 1])


def test_a_mask_of_everything_gives_the_errors_of_the_whole() -> None:
    a, b = noisy(), noisy()
    whole, masked = paired.compare(a, b), paired.compare_within(a, b, np.ones((3, 16, 20), bool))
    np.testing.assert_allclose(masked["l1"], whole["l1"])
    np.testing.assert_allclose(masked["psnr"], whole["psnr"])
    assert np.abs(masked["ssim"] - whole["ssim"]).max() < 0.1  # the border counts here


def test_what_lies_outside_of_the_mask_has_no_influence_on_errors() -> None:
    a, b = noisy(), noisy()
    masks = np.zeros((3, 16, 20), bool)
    masks[:, 4:8, 4:8] = True
    other = a.copy()
    other[~masks] = 0
    first, second = (paired.compare_within(one, b, masks) for one in (a, other))
    np.testing.assert_array_equal(first["l1"], second["l1"])
    np.testing.assert_array_equal(first["psnr"], second["psnr"])


def test_an_empty_mask_has_no_score() -> None:
    a, masks = noisy(2), np.zeros((2, 16, 20), bool)
    masks[1, 0, 0] = True
    found = paired.compare_within(a, a, masks)
    assert np.isnan(found["l1"]).tolist() == [True, False]
    assert found["psnr"][1] == 100


def test_a_pixel_is_changed_if_any_channel_is() -> None:
    a = noisy(1)
    b = a.copy()
    b[0, 2, 3, 1] ^= 1
    masks = paired.changed_pixels(a, b)
    assert masks.sum() == 1
    assert masks[0, 2, 3]


@pytest.mark.parametrize("channels", [1, 3])
def test_identical_pixels_have_an_ssim_of_one(channels: int) -> None:
    a = noisy(2, channels)
    found = paired.compare_within(a, a, np.ones((2, 16, 20), bool))
    np.testing.assert_allclose(found["ssim"], 1)
