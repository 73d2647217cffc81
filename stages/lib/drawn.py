"""Drawn data into an image store, with the true factors in its index."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from stages.drawing.base import Drawing
from stages.drawing.registry import DRAWINGS
from stages.lib.console import Progress, UserError
from stages.lib.params import DataSet
from stages.lib.store import Images, StoreWriter, split_of

PREFIX = "drawn:"
_BLOCK = 256


def draw(name: str, data: DataSet, count: int, seed: int, folder: Path) -> None:
    """Write the image store `folder` from ``drawn:<name of a drawing>``.

    Equal pictures fall into the same split, because their content decides it; they all stay,
    because how often a picture occurs is part of a distribution.

    Args:
        name: the data set's name in params.yaml.
        data: what is asked of it.
        count: how many images.
        seed: decides all factors.
        folder: where the store is to be.

    Raises:
        UserError: if there is no such drawing, or an option that only other sources have is set.
    """
    drawing = _drawing(name, data)
    if data.classes is not None or data.limit is not None:
        key = "classes" if data.classes is not None else "limit"
        raise UserError(
            f"data.{name}.{key}: {data.source} draws all its classes and as many images as "
            "`count` says; write null"
        )
    factors = drawing.factors(count, seed)
    with (
        StoreWriter(folder, data.height, data.width, data.channels) as writer,
        Progress(f"draw {name}", count, "images") as progress,
    ):
        for start in range(0, count, _BLOCK):
            block = factors.iloc[start : start + _BLOCK]
            images = drawing.render(block, data.height, data.width)
            if data.channels == 1:
                images = _grey(images)
            writer.append(images, _rows(data, drawing, block, images, start))
            progress.advance(len(block))
        writer.finish(
            name=name,
            source=data.source,
            licence=data.licence,
            factors=list(factors.columns),
            notes={"kind": "drawn", "seed": seed, "description": drawing.description},
        )


def _drawing(name: str, data: DataSet) -> Drawing:
    wanted = data.source.removeprefix(PREFIX)
    if wanted not in DRAWINGS:
        near = difflib.get_close_matches(wanted, DRAWINGS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(
            f"data.{name}.source: no drawing {wanted!r}{hint} (there are {', '.join(DRAWINGS)})"
        )
    return DRAWINGS[wanted]


def _rows(
    data: DataSet, drawing: Drawing, block: pd.DataFrame, images: Images, start: int
) -> pd.DataFrame:
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    numbers = range(start, start + len(block))
    rows = pd.DataFrame(
        {
            "id": [f"{drawing.name}-{number:07d}" for number in numbers],
            "split": [split_of(digest, data.valid_share) for digest in digests],
            "label": block[drawing.label].astype(str).to_list() if drawing.label else None,
            "origin": [f"{data.source}#{number}" for number in numbers],
            "sha256": digests,
        }
    )
    indexed: pd.DataFrame = pd.concat([rows, block.reset_index(drop=True)], axis=1)
    return indexed


def _grey(images: Images) -> Images:
    """Luma of B×H×W×3 after ITU-R 601, in whole numbers: B×H×W×1."""
    weights = np.array([299, 587, 114], dtype=np.uint32)
    luma = (images.astype(np.uint32) @ weights + 500) // 1000
    return luma.astype(np.uint8)[..., None]
