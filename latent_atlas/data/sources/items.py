"""What a source is made of, before anything is decoded."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from latent_atlas.config.schema import DataSet

MAX_FILE_BYTES = 256 * 2**20  # of one image file; a 100-megapixel RGB bitmap has 300 MB

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


Value = str | float | None
"""What a further column of the index holds."""


class RejectedError(Exception):
    """This file cannot become an image; the message is the reason, for the card."""


class Content(Protocol):
    """How to get the bytes of an item; small, and sent to the process that decodes them."""

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes; raises RejectedError if they are more than `limit` or cannot be read."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A whole file; its path is text, which takes a fifth of the memory of a `Path`."""

    path: str

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`."""
        try:
            with Path(self.path).open("rb") as file:
                return _bounded(file.read(limit + 1), limit)
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
    """A member of a zip archive, by its position, for two can have the same name."""

    path: Path
    position: int

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`; what it unpacks to is limited, not what its header promises."""
        try:
            archive = _open_zip(self.path)
            with archive.open(archive.infolist()[self.position]) as file:
                return _bounded(file.read(limit + 1), limit)
        except RejectedError:
            raise
        except Exception as error:  # a damaged member makes zipfile and its codecs raise anything
            raise RejectedError(f"damaged in the archive ({type(error).__name__})") from None


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Bytes that are already in memory."""

    data: bytes

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """See `Content`."""
        return _bounded(self.data, limit)


@lru_cache(maxsize=2)
def _open_zip(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise RejectedError(f"too large (more than {limit} bytes)")
    return data


@dataclass(frozen=True, slots=True)
class View:
    """One row to make of an image.

    Attributes:
        name: empty for the image as it is.
        region: left, top, right and bottom of the part to show, as shares of width and height.
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
        origin: where it is within the source; unique, and the same wherever the source lies.
        content: how to get its bytes.
        split: the source's own split, one of ``train``, ``valid``, ``test``; None if it has none.
        label: its class; None if it has none.
        attributes: further columns of the index.
        pixels: H×W or H×W×3 if the content is raw uint8 pixels; None for an image file.
        size: width and height that the source promises; None if it promises none.
        number: of the image in a source whose equal pictures all stay; None where a picture that
            came before is left out.
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
    """A file of a source that is no item, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A recognised source.

    Attributes:
        kind: what it was recognised as, for the card.
        items: starts a pass over it, in an order that depends on its content alone.
        attributes: names of the columns that items and views add to the index.
        factors: names of those that are true factors, which every item has.
    """

    kind: str
    items: Callable[[], Iterator[Item | Rejected]]
    attributes: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What is asked of a source.

    Attributes:
        name: the data set's name in params.yaml.
        data: what stands there.
        seed: for choices that are random, such as crops.
        scratch: a folder for unpacked files, which the caller removes.
    """

    name: str
    data: DataSet
    seed: int
    scratch: Path

    @property
    def key(self) -> str:
        """The key of the source in params.yaml, for errors."""
        return f"data.{self.name}.source"
