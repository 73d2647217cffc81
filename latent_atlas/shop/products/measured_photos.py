"""Measures, thumbnails and backbone features of all photos, each photo read once.

Features are computed for the whole photo and for the upper quarter of its foreground. Front and
back views of a model differ mainly at the head, which therefore has a larger weight.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from latent_atlas.data.store import Images
from latent_atlas.models.backbones import Backbone
from latent_atlas.shop.products import photos
from latent_atlas.shop.products.photos import Measures
from latent_atlas.shop.products.shards import Shards
from latent_atlas.util.console import Progress

FEATURE_SIDE = 128  # enough to separate kinds of photos, and three times as fast as 224
HEAD_WEIGHT = 2.0  # with 1, k-means separates clothes and mixes front and back views
_BLOCK = 256
_BATCH = 8


@dataclass(frozen=True)
class MeasuredPhotos:
    """Measures and features of N photos.

    Attributes:
        paths: N paths in the shards.
        measures: N measures.
        thumbs: uint8 N×16×16×3.
        features: float32 N×2D: a unit vector of the whole photo, and `HEAD_WEIGHT` times a unit
            vector of the foreground's upper quarter.
    """

    paths: Sequence[str]
    measures: list[Measures]
    thumbs: Images
    features: npt.NDArray[np.float32]

    def rows(self, paths: Iterable[str]) -> list[int]:
        """The row of each of `paths`."""
        return [self._row[path] for path in paths]

    @cached_property
    def _row(self) -> dict[str, int]:
        return {path: row for row, path in enumerate(self.paths)}


def measure_photos(paths: Sequence[str], shards: Shards, backbone: Backbone) -> MeasuredPhotos:
    """Measure the photos `paths` in blocks, with features of `backbone`."""
    measures: list[Measures] = []
    thumbs: list[Images] = []
    features: list[npt.NDArray[np.float32]] = []

    def measure(path: str) -> tuple[Measures, Images, Images]:
        picture = shards.photo(path)
        pixels = photos.working_copy(picture)
        values = photos.measure_photo(pixels, min(picture.size))
        views = [_square(picture, (0.0, 0.0, 1.0, 1.0)), _square(picture, photos.head_box(pixels))]
        return values, photos.thumbnail(pixels), np.stack(views)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums for any number of cores
    try:
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            Progress("measure photos", len(paths), "photos") as progress,
        ):
            for start in range(0, len(paths), _BLOCK):
                block = list(pool.map(measure, paths[start : start + _BLOCK]))
                measures += [values for values, _, _ in block]
                thumbs += [thumb for _, thumb, _ in block]
                features.append(_block_features(backbone, [views for _, _, views in block]))
                progress.advance(len(block))
    finally:
        torch.set_num_threads(threads)
    return MeasuredPhotos(paths, measures, np.stack(thumbs), np.concatenate(features))


def _block_features(backbone: Backbone, views: Sequence[Images]) -> npt.NDArray[np.float32]:
    """The features of photos from their two views each: N×2D."""
    squares = np.concatenate(views)
    batches = [
        _features(backbone, squares[first : first + _BATCH])
        for first in range(0, len(squares), _BATCH)
    ]
    pairs = np.concatenate(batches).reshape(len(views), 2, -1)
    return np.concatenate([pairs[:, 0], HEAD_WEIGHT * pairs[:, 1]], axis=1)


def _square(picture: Image.Image, shares: tuple[float, float, float, float]) -> Images:
    """A part of the picture, in shares of its sides, resized to the input of the backbone."""
    left, top, right, bottom = shares
    box = (
        left * picture.width,
        top * picture.height,
        right * picture.width,
        bottom * picture.height,
    )
    size = (FEATURE_SIDE, FEATURE_SIDE)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=2.0))


@torch.inference_mode()
def _features(backbone: Backbone, squares: Images) -> npt.NDArray[np.float32]:
    images = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    features = torch.nn.functional.normalize(backbone.features(images, size=FEATURE_SIDE))
    return np.asarray(features.numpy(), dtype=np.float32)
