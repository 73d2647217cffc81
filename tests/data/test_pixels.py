"""Conversion between stored pixels and model tensors."""

from __future__ import annotations

import torch

from latent_atlas.data.pixels import to_images, to_pixels


def test_pixels_and_images_are_inverse() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).repeat(1, 1, 1, 3)
    images = to_images(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert images.max() == 1.0
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(to_pixels(images), pixels)


def test_values_beyond_the_range_are_clipped() -> None:
    images = torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)
    assert to_pixels(images).flatten().tolist() == [0, 255]
