"""IDX files, plain or gzipped: MNIST, Fashion-MNIST and other data sets in their format.

The files ``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte`` are the splits ``train`` and
``test``; their labels are in ``…-labels-idx1-ubyte`` in the same folder.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latent_atlas.data.sources.archives import unpack
from latent_atlas.data.sources.fingerprint import label_names
from latent_atlas.data.sources.items import (
    FileContent,
    IngestRequest,
    Item,
    Rejected,
    SliceContent,
    Source,
)
from latent_atlas.data.sources.trees import Tree
from latent_atlas.util.console import FieldError, UserError

MAX_IDX_BYTES = 16 * 2**30

_IMAGES = re.compile(r"(.*?)images?[-._]idx3[-._]ubyte(\.gz)?")
_SPLITS = {"train": "train", "t10k": "test", "test": "test", "val": "valid"}


@dataclass(frozen=True)
class Part:
    """A file of images with its labels.

    Attributes:
        name: of the file of images.
        path: the unpacked file of images.
        start: position of the first image, in bytes.
        shape: images, rows, columns.
        labels: one class number per image; None without a file of labels.
    """

    name: str
    path: Path
    start: int
    shape: tuple[int, int, int]
    labels: bytes | None


def recognise(tree: Tree, request: IngestRequest) -> Source | None:
    """Read all files of images with names as in MNIST; None if there are none."""
    names = [name for name in tree.files if _IMAGES.fullmatch(name.rpartition("/")[2])]
    return read_idx(tree, names, request) if names else None


def read_idx(tree: Tree, names: list[str], request: IngestRequest) -> Source:
    """Read the files of images `names`, each with its labels.

    Raises:
        FieldError: ``source``, if some names contain a split and others do not.
        UserError: if a file is not an IDX file of the right type and length.
    """
    parts = [_part(tree, name, request) for name in names]
    unclear = [name for name in names if _split(name) is None]
    if unclear and len(unclear) < len(names):
        raise FieldError(
            "source",
            f"{unclear[0]} in {tree.where} has no split in its name, unlike other files there; "
            f"expected one of {', '.join(_SPLITS)} in its name",
        )

    def items() -> Iterator[Item | Rejected]:
        for part in parts:
            split = _split(part.name) if len(parts) > 1 else None
            count, rows, columns = part.shape
            for number in range(count):
                start = part.start + number * rows * columns
                yield Item(
                    f"{part.name}#{number}",
                    SliceContent(part.path, start, rows * columns),
                    split,
                    None if part.labels is None else str(part.labels[number]),
                    pixels=(rows, columns),
                )

    return Source("IDX files", items)


def is_idx(head: bytes) -> bool:
    """Whether a file is an IDX file by its first bytes: two zeros, a type, a dimension count."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in range(8, 15) and head[3] > 0


def _part(tree: Tree, name: str, request: IngestRequest) -> Part:
    path, start, sizes = _open(tree, name, 3, request)
    count, rows, columns = sizes
    if rows * columns == 0:
        raise UserError(
            f"{tree.where}/{name}: found images of {rows}×{columns} pixels, expected at least "
            "one pixel; fetch it again"
        )
    labels = _labels_of(tree, name)
    if labels is None:
        return Part(name, path, start, (count, rows, columns), None)
    label_path, label_start, (label_count,) = _open(tree, labels, 1, request)
    if label_count != count:
        raise UserError(
            f"{tree.where}/{labels}: has {label_count} labels, expected one for each of the "
            f"{count} images of {name}"
        )
    content = label_path.read_bytes()[label_start:]
    return Part(name, path, start, (count, rows, columns), content)


def _labels_of(tree: Tree, name: str) -> str | None:
    return next((labels for labels in label_names(name) if labels in tree.files), None)


def _open(
    tree: Tree, name: str, dimensions: int, request: IngestRequest
) -> tuple[Path, int, list[int]]:
    """The unpacked file, the position of its data, and its sizes, all checked."""
    where = f"{tree.where}/{name}"
    content = tree.files[name]
    if isinstance(content, FileContent):
        path = Path(content.path)
    else:
        path = Path(tempfile.mkdtemp(dir=request.scratch)) / "member"
        path.write_bytes(tree.read(name, MAX_IDX_BYTES))
    path = unpack(path, where, request.scratch)
    with path.open("rb") as file:
        head = file.read(4 + 4 * dimensions)
    magic = bytes([0, 0, 8, dimensions])
    if head[:4] != magic:
        kind = "images" if dimensions == 3 else "labels"
        raise UserError(
            f"{where}: begins with {head[:4].hex(' ') or 'nothing'}, expected {magic.hex(' ')} "
            f"(an IDX file of {kind}: unsigned bytes in {dimensions} dimensions)"
        )
    sizes = [int.from_bytes(head[at : at + 4], "big") for at in range(4, len(head), 4)]
    expected, length = len(magic) + 4 * dimensions + math.prod(sizes), path.stat().st_size
    if len(sizes) != dimensions or expected != length:
        raise UserError(
            f"{where}: has {length} bytes, expected {expected} by its header; fetch it again"
        )
    return path, 4 + 4 * dimensions, sizes


def _split(name: str) -> str | None:
    match = re.search(rf"(?:^|[-_.])({'|'.join(_SPLITS)})", name.rpartition("/")[2])
    return _SPLITS[match[1]] if match else None
