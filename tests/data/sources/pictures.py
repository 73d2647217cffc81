"""Small pictures for sources, and what a store's card says of them."""

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
    """A picture unlike that of any other seed, smooth enough to survive JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image file in memory."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_pictures(folder: Path, *names: str, first: int = 0) -> Path:
    """Write a different picture to each name; returns `folder`."""
    for seed, name in enumerate(names, first):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(picture(seed)))
    return folder


def reasons(store: Store) -> dict[str, str]:
    """Origin → reason of what the store's card says was rejected."""
    return {row["origin"]: row["reason"] for row in store.card["rejected"]}
