"""An npz of images with their true factors, as dSprites has it.

- ``imgs``: N×H×W or N×H×W×3 bytes. If all are 0 and 1, as in dSprites, 1 becomes 255.
- ``latents_values``: the factors, N×K numbers.
- ``latents_classes``, optional: N×K integers. With it the factors are discrete, and their columns
  hold these class numbers as text.
- ``latents_names``, optional: the names of the factors, an array of K texts. The default is the
  names of dSprites for six factors, and ``factor_1`` and so on otherwise.

Pickled arrays are never read; dSprites' own ``metadata`` is one.

Duplicates are kept: how often an image occurs is part of the distribution of the factors, and a
square rotated by 90° is a true image of its factors.
"""

from __future__ import annotations

import lzma
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latent_atlas.data.sources.items import (
    FileContent,
    IngestRequest,
    Item,
    Rejected,
    SliceContent,
    Source,
    ZipContent,
)
from latent_atlas.data.sources.trees import Tree
from latent_atlas.data.store import COLUMNS
from latent_atlas.util.console import UserError

IMAGES, VALUES, CLASSES, NAMES = (
    f"{name}.npy" for name in ("imgs", "latents_values", "latents_classes", "latents_names")
)

DSPRITES = ("color", "shape", "scale", "orientation", "x", "y")

MAX_BYTES = 64 * 2**30

_BLOCK = 4096  # images that are scaled to 0…255 at a time

# Errors of zip compressions; zipfile knows some of them and not others.
_UNREADABLE = (
    *(ValueError, EOFError, OSError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)

_Array = npt.NDArray[np.generic]


def recognise(tree: Tree, request: IngestRequest) -> Source | None:
    """Read the arrays of an npz, packed or unpacked; None if there are no such arrays.

    Raises:
        UserError: if an array is damaged, pickled, or does not fit the others.
    """
    if IMAGES not in tree.files or VALUES not in tree.files:
        return None
    values = _load(tree, VALUES, request)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        raise UserError(f"{tree.where}/{VALUES}: found {_kind(values)}, expected N×K numbers")
    if np.iscomplexobj(values) or not np.isfinite(values).all():
        raise UserError(
            f"{tree.where}/{VALUES}: found values that are not finite real numbers; expected one "
            "number per factor and image"
        )
    images = _load(tree, IMAGES, request)
    fits = images.ndim in (3, 4) and images.shape[3:] in ((), (1,), (3,)) and images.size > 0
    if images.dtype not in (np.uint8, np.bool_) or not fits:
        raise UserError(
            f"{tree.where}/{IMAGES}: found {_kind(images)}, expected N×H×W or N×H×W×3 bytes"
        )
    _same_length(tree, {IMAGES: images, VALUES: values})
    names = _names(tree, values.shape[1], request)
    classes = _classes(tree, values, request)
    path = _write_bytes(images, request.scratch / "images.raw")
    sides = images.shape[1:3] if images.shape[3:] == (1,) else images.shape[1:]
    length = int(np.prod(sides))

    def items() -> Iterator[Item | Rejected]:
        for number in range(len(images)):
            row = classes[number] if classes is not None else values[number]
            yield Item(
                f"{IMAGES}#{number}",
                SliceContent(path, number * length, length),
                attributes={
                    name: str(value) if classes is not None else float(value)
                    for name, value in zip(names, row, strict=True)
                },
                pixels=tuple(int(side) for side in sides),
                number=number,
            )

    return Source("npz with factors", items, factors=names)


def _load(tree: Tree, name: str, request: IngestRequest) -> _Array:
    """An array of the tree, memory-mapped."""
    where = f"{tree.where}/{name}"
    try:
        array: _Array = np.load(_file(tree, name, request), mmap_mode="r", allow_pickle=False)
    except _UNREADABLE as error:
        reason = str(error).split("\n")[0]
        raise UserError(
            f"{where}: not a readable array ({reason}); save it again without pickled objects"
        ) from None
    if array.ndim == 0 or len(array) == 0:
        raise UserError(f"{where}: found {_kind(array)}, expected one row per image")
    return array


def _file(tree: Tree, name: str, request: IngestRequest) -> Path:
    """The file of an array; a member of a zip is unpacked, in constant memory."""
    content = tree.files[name]
    if isinstance(content, FileContent):
        return Path(content.path)
    path = request.scratch / name
    if isinstance(content, ZipContent):
        with (
            zipfile.ZipFile(content.path) as archive,
            archive.open(archive.infolist()[content.position]) as packed,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, 2**20)
    else:
        path.write_bytes(tree.read(name, MAX_BYTES))
    return path


def _names(tree: Tree, count: int, request: IngestRequest) -> tuple[str, ...]:
    if NAMES not in tree.files:
        return (
            DSPRITES if count == len(DSPRITES) else tuple(f"factor_{i + 1}" for i in range(count))
        )
    names = _load(tree, NAMES, request)
    if names.shape != (count,) or names.dtype.kind != "U":
        raise UserError(
            f"{tree.where}/{NAMES}: found {_kind(names)}, expected {count} texts, one per factor"
        )
    texts = tuple(f"factor_{name}" if name in COLUMNS else str(name) for name in names)
    if len(set(texts)) < count or "" in texts:
        raise UserError(
            f"{tree.where}/{NAMES}: found {', '.join(texts)}; expected {count} different names"
        )
    return texts


def _classes(tree: Tree, values: _Array, request: IngestRequest) -> npt.NDArray[np.str_] | None:
    """Class numbers as text, with leading zeros, so that they sort as numbers do."""
    if CLASSES not in tree.files:
        return None
    classes = _load(tree, CLASSES, request)
    if classes.shape != values.shape or not np.issubdtype(classes.dtype, np.integer):
        raise UserError(
            f"{tree.where}/{CLASSES}: found {_kind(classes)}, expected integers of the shape "
            f"of {VALUES}, {'×'.join(map(str, values.shape))}"
        )
    digits = len(str(classes.max()))
    return np.char.zfill(classes.astype(np.str_), digits)


def _same_length(tree: Tree, arrays: dict[str, _Array]) -> None:
    (name, rows), (other, other_rows) = arrays.items()
    if len(rows) != len(other_rows):
        raise UserError(
            f"{tree.where}: {name} has {len(rows)} rows and {other} {len(other_rows)}; "
            "expected one row per image in both"
        )


def _write_bytes(images: _Array, path: Path) -> Path:
    """Write only the bytes of the images, one after the other, to the file `path`."""
    blocks = range(0, len(images), _BLOCK)
    largest = max(int(images[start : start + _BLOCK].max()) for start in blocks)
    factor = np.uint8(255 if largest <= 1 else 1)
    with path.open("wb") as file:
        for start in blocks:
            block = np.asarray(images[start : start + _BLOCK], np.uint8) * factor
            file.write(np.ascontiguousarray(block).tobytes())
    return path


def _kind(array: _Array) -> str:
    return f"{array.dtype} {'×'.join(map(str, array.shape)) or 'without rows'}"
