"""Thresholds of the default run: colours and digits after perfect and useless reconstruction."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from benchmarks.thresholds import colour_differences, digits_read
from latent_atlas.data.store import Images, Store
from latent_atlas.training.checkpoint import TrainedRun


def garments(colours: list[tuple[int, int, int]]) -> Images:
    """Rectangles on white."""
    images = np.full((len(colours), 32, 32, 3), 255, np.uint8)
    for image, colour in zip(images, colours, strict=True):
        image[8:24, 8:24] = colour
    return images


def test_the_differences_are_those_of_the_objects() -> None:
    images = garments([(200, 0, 0), (0, 100, 0)])
    outputs = garments([(150, 10, 0), (0, 100, 0)])
    np.testing.assert_array_equal(colour_differences(images, outputs), [[50, -10, 0], [0, 0, 0]])


def test_an_image_without_an_object_is_left_out() -> None:
    images = garments([(255, 255, 255), (0, 0, 0)])
    assert colour_differences(images, images).shape == (1, 3)


class FakeRun:
    """Reconstructs an image as itself, or as black."""

    def __init__(self, black: bool) -> None:
        self.black = black

    def encode(self, images: Images) -> Images:
        return images

    def decode(self, codes: Images) -> Images:
        return np.zeros_like(codes) if self.black else codes


@pytest.mark.parametrize(("black", "low", "high"), [(False, 0.95, 1.0), (True, 0.0, 0.2)])
def test_digits_are_read_if_they_are_reconstructed(black: bool, low: float, high: float) -> None:
    digits = load_digits()
    images = (digits.images[..., None] * 15).astype(np.uint8)
    index = pd.DataFrame(
        {
            "split": np.where(np.arange(len(images)) % 5, "train", "valid"),
            "label": digits.target.astype(str),
        }
    )
    store = Store(None, images, index, {"classes": [str(n) for n in range(10)]})  # type: ignore[arg-type]
    assert low <= digits_read(cast("TrainedRun", FakeRun(black)), store) <= high
