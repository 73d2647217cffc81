"""Looks at every photo once: measures, a thumbnail for duplicates, and a backbone's features.

Features are taken of the whole photo and of the figure's upper quarter: whether a model is seen
from the front or from behind shows in little else than the head, which therefore counts more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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

FEATURE_SIDE = 128  # enough to tell kinds of photos apart, and three times as fast as 224
HEAD_WEIGHT = 2.0  # with 1, k-means sorts by clothes, and mixes front and back
_BLOCK = 256
_BATCH = 8


@dataclass(frozen=True)
class Survey:
    """What was seen of N photos.

    Attributes:
        measures: N.
        thumbs: uint8 N×16×16×3.
        features: float32 N×2D: of the whole photo, a unit vector, and of the figure's upper
            quarter, HEAD_WEIGHT times a unit vector.
    """

    measures: list[Measures]
    thumbs: Images
    features: npt.NDArray[np.float32]


def survey(paths: Sequence[str], shards: Shards, backbone: Backbone) -> Survey:
    """Look at the photos `paths`, each once, whatever their number in constant memory."""
    measures: list[Measures] = []
    thumbs: list[Images] = []
    features: list[npt.NDArray[np.float32]] = []

    def look(path: str) -> tuple[Measures, Images, Images]:
        picture = shards.photo(path)
        pixels = photos.working_copy(picture)
        measured = photos.measure(pixels, min(picture.size))
        views = [_square(picture, (0.0, 0.0, 1.0, 1.0)), _square(picture, photos.head_box(pixels))]
        return measured, photos.thumbnail(pixels), np.stack(views)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums whatever the number of cores
    try:
        with (
            ThreadPoolExecutor(os.cpu_count()) as pool,
            Progress("look at photos", len(paths), "photos") as progress,
        ):
            for start in range(0, len(paths), _BLOCK):
                block = list(pool.map(look, paths[start : start + _BLOCK]))
                measures += [seen[0] for seen in block]
                thumbs += [seen[1] for seen in block]
                views = np.concatenate([seen[2] for seen in block])
                found = np.concatenate(
                    [
                        _features(backbone, views[first : first + _BATCH])
                        for first in range(0, len(views), _BATCH)
                    ]
                )
                pairs = found.reshape(len(block), 2, -1)
                features.append(np.concatenate([pairs[:, 0], HEAD_WEIGHT * pairs[:, 1]], axis=1))
                progress.advance(len(block))
    finally:
        torch.set_num_threads(threads)
    return Survey(measures, np.stack(thumbs), np.concatenate(features))


def _square(picture: Image.Image, shares: tuple[float, float, float, float]) -> Images:
    """A part of the picture, given in shares of its sides, as the backbone takes it."""
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
    found = torch.nn.functional.normalize(backbone.features(images, size=FEATURE_SIDE))
    return np.asarray(found.numpy(), dtype=np.float32)
