"""Attributes, domains and pairs of the images of a store: what translation models learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.config.messages import did_you_mean
from latent_atlas.data.store import Images, Store
from latent_atlas.data.synthetic.base import Drawing
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.data.synthetic.store import PREFIX, grey
from latent_atlas.util.console import UserError

Rows = npt.NDArray[np.int64]

LEAST = 8
"""Smallest number of training images of a domain, or of an attribute's value."""

_STRUCTURAL = ("id", "split", "origin", "sha256")


@dataclass(frozen=True)
class Attributes:
    """Attributes of the images of a store.

    Attributes:
        values: attribute → its values, sorted.
        numbers: N×A positions in `values`; −1 where an image lacks the attribute.
    """

    values: Mapping[str, tuple[str, ...]]
    numbers: Rows

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each attribute."""
        return tuple(map(len, self.values.values()))

    def complete(self, rows: Rows) -> Rows:
        """Those of `rows` that have all attributes."""
        return rows[(self.numbers[rows] >= 0).all(1)]


def attributes_of(store: Store, names: Sequence[str], where: str) -> Attributes:
    """The attributes `names` of all images; values are those of the training images.

    Raises:
        UserError: if a column is missing, has fewer than two values, a value with fewer than
            `LEAST` training images, or one that occurs in other splits only.
    """
    values: dict[str, tuple[str, ...]] = {}
    numbers = np.empty((len(store.index), len(names)), np.int64)
    train = store.rows("train")
    for place, name in enumerate(names):
        column = _column(store, name, where)
        counts = column.iloc[train].value_counts()
        unseen = sorted(set(column.dropna()) - set(counts.index))
        if unseen:
            raise UserError(
                f"{where}: {name} {unseen[0]!r} occurs in no training image of {store.path}; "
                "remove these images, or choose another valid_share"
            )
        if len(counts) < 2:
            found = f"one value, {counts.index[0]!r}" if len(counts) else "no value"
            raise UserError(
                f"{where}: {name} has {found} in {store.path}, expected two or more; "
                "choose another attribute"
            )
        rare = counts[counts < LEAST]
        if len(rare):
            raise UserError(
                f"{where}: {name} {rare.index[0]!r} has {rare.iloc[0]} training images in "
                f"{store.path}, expected {LEAST} or more; add images, or remove that value"
            )
        values[name] = tuple(sorted(counts.index))
        numbers[:, place] = pd.Categorical(column, categories=list(values[name])).codes
    return Attributes(values, numbers)


def domain(store: Store, chosen: Mapping[str, str], where: str) -> npt.NDArray[np.bool_]:
    """Which images of the store have the `chosen` values, N booleans.

    Raises:
        UserError: if a column or a value does not exist, or fewer than `LEAST` training images or
            no validation image has the values.
    """
    inside = np.ones(len(store.index), np.bool_)
    for name, value in chosen.items():
        column = _column(store, name, where)
        known = sorted(set(column.dropna()))
        if value not in known:
            raise UserError(
                f"{where}.{name}: found {value!r}, expected one of {', '.join(known[:20])}"
                f"{did_you_mean(value, known)} (values of {store.path})"
            )
        inside &= (column == value).to_numpy(np.bool_)
    for split, least in (("train", LEAST), ("valid", 1)):
        count = int(inside[store.rows(split)].sum())
        if count < least:
            words = ", ".join(f"{name} {value}" for name, value in chosen.items())
            raise UserError(
                f"{where}: {words} has {count} images in the {split} split of {store.path}, "
                f"expected {least} or more; choose another domain, or add images"
            )
    return inside


def edited(
    store: Store, rows: Rows, changes: Sequence[Mapping[str, str]], where: str
) -> tuple[Images, npt.NDArray[np.bool_]]:
    """Images of a drawn store, drawn again with other values of their factors.

    They are drawn at the size of the store, by the same code as the store.

    Args:
        store: of drawn images.
        rows: the images.
        changes: factor → value for each of them.
        where: key of the run, for the errors.

    Returns:
        uint8 B×H×W×C, and which of the images can be drawn so: a skirt has no sleeves. The others
        are as in the store.

    Raises:
        UserError: if the store is not drawn, or a factor or value does not exist.
    """
    drawing = _drawing(store, where)
    for name, value in {pair for change in changes for pair in change.items()}:
        known = drawing.values.get(name)
        if known is None or value not in known:
            options = drawing.values if known is None else known
            raise UserError(
                f"{where}: found {name if known is None else value!r}, expected one of "
                f"{', '.join(options)}{did_you_mean(name if known is None else value, options)}"
            )
    factors = store.index.iloc[rows][[*drawing.values, *drawing.ranges]].reset_index(drop=True)
    factors = factors.astype(dict.fromkeys(drawing.values, str))
    for place, change in enumerate(changes):
        for name, value in change.items():
            factors.loc[place, name] = value
    legal = drawing.legal(factors)
    images = np.array(store.images[rows])
    height, width, channels = store.shape
    drawn = drawing.render(factors[legal].reset_index(drop=True), height, width)
    images[legal] = grey(drawn) if channels == 1 else drawn
    return images, legal


def edges(images: Images) -> Images:
    """Outlines on white: 255 less the largest difference to the next pixel, ×4, B×H×W×C.

    The difference is taken over all channels, in whole numbers, so that it is the same everywhere.
    """
    wide = images.astype(np.int16)
    down = np.abs(np.diff(wide, axis=1, append=wide[:, -1:])).max(3)
    right = np.abs(np.diff(wide, axis=2, append=wide[:, :, -1:])).max(3)
    drawn = 255 - np.minimum(255, 4 * np.maximum(down, right)).astype(np.uint8)
    return np.repeat(drawn[..., None], images.shape[3], axis=3)


def in_grey(images: Images) -> Images:
    """The luma of B×H×W×3 images, in all three channels."""
    return np.repeat(grey(images), 3, axis=3)


def _drawing(store: Store, where: str) -> Drawing:
    source = str(store.card["source"])
    if not source.startswith(PREFIX):
        raise UserError(
            f"{where}: {store.path} comes from {source}, but only drawn images can be drawn again "
            "with another attribute; use a source drawn:…, or pairs of another kind"
        )
    return DRAWINGS[source.removeprefix(PREFIX)]


def _column(store: Store, name: str, where: str) -> pd.Series:
    """The values of a column as text."""
    known = [one for one in store.index.columns if one not in _STRUCTURAL]
    if name not in known:
        raise UserError(
            f"{where}: {store.path} has no column {name!r}{did_you_mean(name, known)} "
            f"(it has {', '.join(known)})"
        )
    column: pd.Series = store.index[name]
    if column.dtype.kind == "f":
        raise UserError(
            f"{where}: {name} of {store.path} is a number, expected a column with few values"
        )
    return column.where(column.isna(), column.astype(str))
