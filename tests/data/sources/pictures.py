"""Small images for the tests of sources."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latent_atlas.data.store import Store

Build = Callable[..., Store]


def picture(seed: int, height: int = 12, width: int = 10, mode: str = "RGB") -> Image.Image:
    """An image that differs for each seed, and is smooth enough to survive JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image file in memory."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_pictures(folder: Path, *names: str, first: int = 0) -> Path:
    """Write a different image to each name below `folder`, and return `folder`."""
    for seed, name in enumerate(names, first):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(seed)))
    return folder


def reasons(store: Store) -> dict[str, str]:
    """Origin → reason of the rejected files on the store's card."""
    return {row["origin"]: row["reason"] for row in store.card["rejected"]}
