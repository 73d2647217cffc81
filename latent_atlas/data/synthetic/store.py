"""Image stores of drawn data, with the true factors in the index."""

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


def draw_data_set(name: str, data: DataSet, count: int, seed: int, folder: Path) -> None:
    """Write the image store `folder` from ``drawn:<name of a drawing>``.

    Equal pictures fall into the same split, because their content decides it. All of them are kept,
    because the frequency of a picture is part of a distribution.

    Args:
        name: name of the data set.
        data: its settings.
        count: number of images of all classes; those of the chosen classes are kept.
        seed: seed of all factors.
        folder: folder of the store, which is created.

    Raises:
        UserError: for an unknown drawing or class, or an option of other sources.
    """
    drawing = _drawing(name, data)
    factors = _select_classes(name, data, drawing, drawing.factors(count, seed))
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
                images = grey(images)
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
    requested = data.source.removeprefix(PREFIX)
    if requested not in DRAWINGS:
        near = difflib.get_close_matches(requested, DRAWINGS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(
            f"data.{name}.source: no drawing {requested!r}{hint} (there are {', '.join(DRAWINGS)})"
        )
    return DRAWINGS[requested]


def _select_classes(
    name: str, data: DataSet, drawing: Drawing, factors: pd.DataFrame
) -> pd.DataFrame:
    """The rows of the chosen classes; each keeps its number among all rows."""
    if data.limit is not None:
        raise UserError(
            f"data.{name}.limit: {data.source} takes its number of images from `count`; write null"
        )
    if data.classes is None:
        return factors
    available = sorted(factors[drawing.label].astype(str).unique()) if drawing.label else []
    if isinstance(data.classes, int) or not set(data.classes) <= set(available):
        known = ", ".join(available) or "none"
        raise UserError(
            f"data.{name}.classes: found {data.classes}, expected class names of {data.source} "
            f"({known}), or null for all"
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


def grey(images: Images) -> Images:
    """Luma of B×H×W×3 after ITU-R 601, in whole numbers: B×H×W×1."""
    weights = np.array([299, 587, 114], dtype=np.uint32)
    luma = (images.astype(np.uint32) @ weights + 500) // 1000
    return luma.astype(np.uint8)[..., None]
