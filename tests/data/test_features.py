"""Features of a store: their order, the file, and independence of the batch size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from latent_atlas.data.features import extract_features
from latent_atlas.data.store import Store


def corners(images: torch.Tensor) -> torch.Tensor:
    """Four numbers that distinguish images and their quadrants."""
    return torch.stack([images[:, 0, y, x] for y in (0, -1) for x in (0, -1)], dim=1)


@pytest.mark.parametrize("batch_size", [1, 7, 60, 100])
def test_features_of_images_for_any_batch_size(
    make_store: Callable[..., Store], tmp_path: Path, batch_size: int
) -> None:
    store = make_store()
    rows = np.array([5, 3, 40, 3])
    path = tmp_path / "f.npy"
    features = extract_features(store, rows, corners, path, batch_size=batch_size)
    expected = store.images[rows][:, [0, 0, -1, -1], [0, -1, 0, -1], 0] / np.float32(255)
    assert np.allclose(features, expected)
    assert np.array_equal(np.load(path, mmap_mode="r", allow_pickle=False), features)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_features_of_quadrants_for_any_batch_size(
    make_store: Callable[..., Store], tmp_path: Path, batch_size: int
) -> None:
    store = make_store(count=20)
    rows = np.arange(20)
    path = tmp_path / "f.npy"
    features = extract_features(store, rows, corners, path, tiles=2, batch_size=batch_size)
    assert features.shape == (20, 4, 4)
    # The bottom right pixel of the top left quadrant, the top left one of the bottom right.
    assert np.allclose(features[:, 0, 3], store.images[:, 15, 15, 0] / 255, atol=1e-6)
    assert np.allclose(features[:, 3, 0], store.images[:, 16, 16, 0] / 255, atol=1e-6)
