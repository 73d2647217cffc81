"""Parts of a source before anything is decoded: items, their content, and rejected files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from latent_atlas.config.schema import DataSet

MAX_FILE_BYTES = 256 * 2**20
"""Limit for one image file; an RGB bitmap of 100 megapixels has 300 MB."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""Names of splits in sources → names of splits in a store."""

Value = str | float | None
"""Type of the values in further columns of the index."""


class RejectedError(Exception):
    """A file that cannot become an image; the message is the reason for the card."""


class Content(Protocol):
    """Access to the bytes of an item; small, because it is sent to the process that decodes."""

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes.

        Raises:
            RejectedError: if there are more than `limit`, or they cannot be read.
        """


@dataclass(frozen=True, slots=True)
class FileContent:
    """A whole file; as text, its path takes a fifth of the memory of a `Path`."""

    path: str

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`."""
        try:
            with Path(self.path).open("rb") as file:
                return _limited(file.read(limit + 1), limit)
        except OSError as error:
            raise RejectedError(f"cannot be read ({error.strerror or error})") from None


@dataclass(frozen=True, slots=True)
class SliceContent:
    """Consecutive bytes of a file: a member of a tar archive, or an image of an IDX file."""

    path: Path
    start: int
    length: int

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`."""
        if self.length > limit:
            raise RejectedError(f"too large ({self.length} bytes, at most {limit})")
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read(self.length)
        except OSError as error:
            raise RejectedError(f"cannot be read ({error.strerror or error})") from None
        if len(data) < self.length:
            raise RejectedError("truncated")
        return data


@dataclass(frozen=True, slots=True)
class ZipContent:
    """A member of a zip archive, by its position, because two can have the same name."""

    path: Path
    position: int

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`; the limit is on the unpacked bytes, not on the size in the header."""
        try:
            archive = _open_zip(self.path)
            with archive.open(archive.infolist()[self.position]) as file:
                return _limited(file.read(limit + 1), limit)
        except RejectedError:
            raise
        except Exception as error:  # a damaged member makes zipfile and its codecs raise anything
            raise RejectedError(f"damaged in the archive ({type(error).__name__})") from None


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes in memory."""

    data: bytes

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`."""
        return _limited(self.data, limit)


@lru_cache(maxsize=2)
def _open_zip(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _limited(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise RejectedError(f"too large (more than {limit} bytes)")
    return data


@dataclass(frozen=True, slots=True)
class View:
    """One row of the index that is made from an image.

    Attributes:
        name: empty for the whole image.
        region: left, top, right and bottom of the visible part, as shares of width and height.
        flip: mirror it left to right.
        attributes: columns of this row alone.
    """

    name: str = ""
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    flip: bool = False
    attributes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a source.

    Attributes:
        origin: its unique name within the source, which does not depend on the source's location.
        content: access to its bytes.
        split: the source's own split, one of ``train``, ``valid``, ``test``; None without one.
        label: its class; None without one.
        attributes: further columns of the index.
        pixels: H×W or H×W×3 if the content is raw uint8 pixels; None for an image file.
        size: width and height according to the source; None if it has none.
        number: of the image in a source whose duplicates are all kept; None in a source whose
            duplicates are rejected.
        views: the rows to make of it.
    """

    origin: str
    content: Content
    split: str | None = None
    label: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    pixels: tuple[int, ...] | None = None
    size: tuple[int, int] | None = None
    number: int | None = None
    views: tuple[View, ...] = (View(),)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file of a source that becomes no image, and the reason."""

    origin: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A source of a recognised type.

    Attributes:
        kind: its type, for the card.
        items: starts a pass over it, in an order that depends on its content alone.
        attributes: names of the columns that items and views add to the index.
        factors: names of the columns that hold true factors; every item has them.
    """

    kind: str
    items: Callable[[], Iterator[Item | Rejected]]
    attributes: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class IngestRequest:
    """A data set to ingest, with the circumstances of the run.

    Attributes:
        data: the data set.
        seed: for random choices, such as crops.
        scratch: a folder for unpacked files, which the caller removes.
    """

    data: DataSet
    seed: int
    scratch: Path
