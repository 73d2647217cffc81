"""Image store: the only format in which stages read and write images.

A store is a folder of three files with deterministic bytes:

- ``images.npy``: uint8, N×H×W×C, never pickled; it is memory-mapped, and an image is a slice of it;
- ``index.parquet``: one row per image, in the same order;
- ``card.json``: source, licence, counts, and every rejected file with the reason.

The index always has the columns of `COLUMNS`. Further columns are attributes or true factors; the
card names them under ``factors`` and ``attributes``. See docs/reference/image-store.md.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_json

COLUMNS = ("id", "split", "label", "origin", "sha256")
SPLITS = ("train", "valid", "test")

Images = npt.NDArray[np.uint8]

_HEADER_BYTES = 128


@dataclass(frozen=True)
class Store:
    """An opened image store.

    Attributes:
        path: the folder.
        images: uint8 N×H×W×C, a read-only memory map.
        index: N rows, see `COLUMNS`; ``label`` is None for an image without a label.
        card: the content of ``card.json``.
    """

    path: Path
    images: Images
    index: pd.DataFrame
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the data set."""
        return str(self.card["name"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted; empty if the images have none."""
        return list(self.card["classes"])

    @property
    def digest(self) -> str:
        """SHA-256 of all pixels and the index; a checkpoint records it."""
        return str(self.card["digest"])

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Positions of the images of `split`, ascending."""
        return np.flatnonzero((self.index["split"] == split).to_numpy()).astype(np.int64)

    def labels(self) -> npt.NDArray[np.int64]:
        """N class numbers (positions in `classes`); -1 for an image without a label."""
        codes = pd.Categorical(self.index["label"], categories=self.classes).codes
        return np.asarray(codes, dtype=np.int64)


def open_store(path: Path) -> Store:
    """Open the store in the folder `path`.

    Raises:
        UserError: if the folder is not a complete store.
    """
    missing = [
        file for file in ("images.npy", "index.parquet", "card.json") if not (path / file).is_file()
    ]
    if missing:
        raise UserError(
            f"{path}: not an image store ({missing[0]} is missing); run `dvc repro` to make it"
        )
    try:
        # A plain view: reading rows is as lazy as with the memmap class, and faster.
        images = np.asarray(np.lib.format.open_memmap(path / "images.npy", mode="r"))
        index = pd.read_parquet(path / "index.parquet")
        card = json.loads((path / "card.json").read_text(encoding="utf-8"))
    except (ValueError, EOFError, OSError) as error:
        raise UserError(
            f"{path}: damaged image store ({error}); remove it and run `dvc repro`"
        ) from None
    if images.ndim != 4 or images.dtype != np.uint8 or len(images) != len(index):
        raise UserError(
            f"{path}: images.npy has {images.dtype} {images.shape} but the index {len(index)} "
            "rows, expected uint8 N×H×W×C and one row per image; remove it and run `dvc repro`"
        )
    return Store(path, images, index, card)


def split_of(sha256: str, valid_share: float) -> str:
    """The split of an image by its content alone, so that a new image never moves another one.

    Args:
        sha256: of the source bytes, as hexadecimal digits.
        valid_share: share of all images in ``valid``, in [0, 1).

    Returns:
        ``train`` or ``valid``.
    """
    return "valid" if int(sha256[:8], 16) / 2**32 < valid_share else "train"


class StoreWriter:
    """Writer of a store, block by block in constant memory.

    The folder appears only when it is complete::

        with StoreWriter(Path("data/clothes"), height=96, width=64, channels=3) as writer:
            writer.append(images, rows)
            writer.finish(name="clothes", source=..., licence=...)

    Leaving the block without `finish` leaves nothing behind.

    Args:
        path: folder of the store.
        height: of the images, in pixels.
        width: of the images, in pixels.
        channels: 1 or 3.

    Raises:
        UserError: if `path` is a file or a link, or cannot be written.
    """

    def __init__(self, path: Path, height: int, width: int, channels: int) -> None:
        self._path = path
        self._shape = (height, width, channels)
        self._count = 0
        self._blocks: list[pd.DataFrame] = []
        self._digest = hashlib.sha256()
        self._temporary = path.with_name(f".{path.name}.part")
        if path.is_symlink() or path.is_file():  # checked before hours of work
            raise UserError(f"{path}: found a file or a link, expected a folder; move it away")
        try:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary.mkdir(parents=True)
            self._file = (self._temporary / "images.npy").open("wb")
            self._file.write(b"\0" * _HEADER_BYTES)
        except OSError as error:
            raise self._unwritable(error) from None

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # a full disk: the file is removed anyway
            self._file.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def count(self) -> int:
        """Number of images written so far."""
        return self._count

    def append(self, images: Images, rows: pd.DataFrame) -> None:
        """Add a block of images.

        Args:
            images: uint8 B×H×W×C.
            rows: B rows with at least `COLUMNS`; every block has the same columns.

        Raises:
            UserError: if the disk is full.
        """
        if images.dtype != np.uint8 or images.shape[1:] != self._shape:
            raise ValueError(f"expected uint8 B×{self._shape}, found {images.dtype} {images.shape}")
        if len(images) != len(rows) or not set(COLUMNS) <= set(rows.columns):
            raise ValueError(f"expected {len(images)} rows with the columns {COLUMNS}")
        block = np.ascontiguousarray(images)
        try:
            self._file.write(block.data)
        except OSError as error:
            raise self._unwritable(error) from None
        self._digest.update(block.data)
        self._blocks.append(rows)
        self._count += len(rows)

    def finish(
        self,
        *,
        name: str,
        source: str,
        licence: str,
        factors: Sequence[str] = (),
        attributes: Sequence[str] = (),
        rejected: Sequence[Mapping[str, str]] = (),
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write index and card, then rename the finished folder to its final name.

        Args:
            name: of the data set.
            source: of the images, without secrets.
            licence: of the images; ``"unknown"`` if it is not known.
            factors: index columns that are true generative factors.
            attributes: index columns with other descriptions of the images.
            rejected: ``{"origin": ..., "reason": ...}`` for each rejected file.
            notes: further entries of the card.

        Raises:
            UserError: if no image was written, or the folder cannot be written.
        """
        if self._count == 0:
            reasons = sorted({row["reason"] for row in rejected})
            detail = f" ({len(rejected)} rejected: {reasons[0]})" if reasons else ""
            raise UserError(
                f"{self._path}: no usable image in {source}{detail}; expected at least one"
            )
        index = pd.concat(self._blocks, ignore_index=True)
        try:
            self._write_header()
            index.to_parquet(self._temporary / "index.parquet", index=False)
        except OSError as error:
            raise self._unwritable(error) from None
        self._digest.update((self._temporary / "index.parquet").read_bytes())
        labels = index["label"].dropna()
        counts = {
            split: {
                "images": int((index["split"] == split).sum()),
                "classes": {
                    str(label): int(count)
                    for label, count in sorted(
                        labels[index["split"] == split].value_counts().items()
                    )
                },
            }
            for split in SPLITS
            if (index["split"] == split).any()
        }
        height, width, channels = self._shape
        card = {
            "name": name,
            "source": source,
            "licence": licence,
            "images": self._count,
            "height": height,
            "width": width,
            "channels": channels,
            "classes": sorted({str(label) for label in labels}),
            "splits": counts,
            "factors": list(factors),
            "attributes": list(attributes),
            "rejected": [dict(row) for row in rejected],
            "digest": self._digest.hexdigest(),
            **(notes or {}),
        }
        write_json(self._temporary / "card.json", card)
        try:
            shutil.rmtree(self._path, ignore_errors=True)
            self._temporary.rename(self._path)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"{self._path}: cannot be written ({error.strerror or error})")

    def _write_header(self) -> None:
        header = (
            f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(self._count, *self._shape)}, }}"
        )
        # Version 1.0 of the .npy format: magic, version, length, text padded to 128 bytes.
        text = header.ljust(_HEADER_BYTES - 11) + "\n"
        prefix = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write(prefix + text.encode("latin1"))
        self._file.close()
