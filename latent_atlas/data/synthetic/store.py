"""Drawn data into an image store, with the true factors in its index."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.config.schema import DataSet
from latent_atlas.data.store import Images, StoreWriter, split_of
from latent_atlas.data.synthetic.base import Drawing
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.util.console import Progress, UserError

PREFIX = "drawn:"
_BLOCK = 256


def draw(name: str, data: DataSet, count: int, seed: int, folder: Path) -> None:
    """Write the image store `folder` from ``drawn:<name of a drawing>``.

    Equal pictures fall into the same split, because their content decides it; they all stay,
    because how often a picture occurs is part of a distribution.

    Args:
        name: the data set's name in params.yaml.
        data: what is asked of it.
        count: how many images, of all classes; those of the classes asked for are kept.
        seed: decides all factors.
        folder: where the store is to be.

    Raises:
        UserError: if there is no such drawing, no such class, or an option of other sources.
    """
    drawing = _drawing(name, data)
    factors = _chosen(name, data, drawing, drawing.factors(count, seed))
    with (
        StoreWriter(folder, data.height, data.width, data.channels) as writer,
        Progress(f"draw {name}", len(factors), "images") as progress,
    ):
        for start in range(0, len(factors), _BLOCK):
            block = factors.iloc[start : start + _BLOCK]
            try:
                images = drawing.render(block, data.height, data.width)
            except ValueError as error:
                raise UserError(
                    f"data.{name}: found height {data.height}, width {data.width}: {error}"
                ) from None
            if data.channels == 1:
                images = _grey(images)
            writer.append(images, _rows(data, drawing, block, images))
            progress.advance(len(block))
        writer.finish(
            name=name,
            source=data.source,
            licence=data.known_licence,
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


def _chosen(name: str, data: DataSet, drawing: Drawing, factors: pd.DataFrame) -> pd.DataFrame:
    """The rows of the classes that are asked for, with the numbers that they have among all."""
    if data.limit is not None:
        raise UserError(
            f"data.{name}.limit: {data.source} draws as many images as `count` says; write null"
        )
    if data.classes is None:
        return factors
    there = sorted(factors[drawing.label].astype(str).unique()) if drawing.label else []
    if isinstance(data.classes, int) or not set(data.classes) <= set(there):
        known = ", ".join(there) or "none"
        raise UserError(
            f"data.{name}.classes: found {data.classes}, expected names of classes that "
            f"{data.source} draws ({known}), or null for all"
        )
    chosen: pd.DataFrame = factors[factors[drawing.label].isin(data.classes)]
    return chosen


def _rows(data: DataSet, drawing: Drawing, block: pd.DataFrame, images: Images) -> pd.DataFrame:
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    rows = pd.DataFrame(
        {
            "id": [f"{drawing.name}-{number:07d}" for number in block.index],
            "split": [split_of(digest, data.valid_share) for digest in digests],
            "label": block[drawing.label].astype(str).to_list() if drawing.label else None,
            "origin": [f"{data.source}#{number}" for number in block.index],
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
