"""The image store: the one format in which every stage reads and writes images.

A store is a folder of three files with deterministic bytes:

- ``images.npy``: uint8, N×H×W×C, memory-mapped and never pickled, so an image costs a slice;
- ``index.parquet``: a row an image, in the same order;
- ``card.json``: where the images are from and what became of every file.

The index always has the columns of `COLUMNS`; the further ones are attributes or true factors,
and the card's ``factors`` and ``attributes`` name them.
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
    """An opened store.

    Attributes:
        path: the folder.
        images: uint8 N×H×W×C, a read-only memory map.
        index: N rows, see `COLUMNS`; ``label`` is None where there is none.
        card: the contents of ``card.json``.
    """

    path: Path
    images: Images
    index: pd.DataFrame
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """The data set's name in params.yaml."""
        return str(self.card["name"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted; empty where the images have none."""
        return list(self.card["classes"])

    @property
    def digest(self) -> str:
        """SHA-256 of all pixels and the index: what a checkpoint was trained on."""
        return str(self.card["digest"])

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Positions of the images of `split`, ascending."""
        return np.flatnonzero((self.index["split"] == split).to_numpy()).astype(np.int64)

    def labels(self) -> npt.NDArray[np.int64]:
        """N class numbers (positions in `classes`); -1 where an image has no label."""
        codes = pd.Categorical(self.index["label"], categories=self.classes).codes
        return np.asarray(codes, dtype=np.int64)


def open_store(path: Path) -> Store:
    """Open the store in the folder `path`.

    Raises:
        UserError: if the folder is no complete store.
    """
    missing = [
        file for file in ("images.npy", "index.parquet", "card.json") if not (path / file).is_file()
    ]
    if missing:
        raise UserError(
            f"{path}: not an image store ({missing[0]} is missing); run `dvc repro` to make it"
        )
    try:
        # A plain view: rows are read as lazily, and faster than through the memmap class.
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
            "rows, expected uint8 N×H×W×C with a row an image; remove it and run `dvc repro`"
        )
    return Store(path, images, index, card)


def split_of(sha256: str, valid_share: float) -> str:
    """Choose the split from the content alone, so that adding an image never moves another.

    Args:
        sha256: hex digest of the source bytes.
        valid_share: share of all images in ``valid``, in [0, 1).
    """
    return "valid" if int(sha256[:8], 16) / 2**32 < valid_share else "train"


class StoreWriter:
    """Writes a store block by block in constant memory; the folder appears only when complete.

    ::

        with StoreWriter(Path("data/clothes"), height=96, width=64, channels=3) as writer:
            writer.append(images, rows)
            writer.finish(name="clothes", source=..., licence=...)

    Leaving the block without `finish` leaves nothing behind.
    """

    def __init__(self, path: Path, height: int, width: int, channels: int) -> None:
        self._path = path
        self._shape = (height, width, channels)
        self._count = 0
        self._blocks: list[pd.DataFrame] = []
        self._digest = hashlib.sha256()
        self._temporary = path.with_name(f".{path.name}.part")
        if path.is_symlink() or path.is_file():  # told before hours of work, not after
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
        with suppress(OSError):  # a full disk: what could not be written is removed anyway
            self._file.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def count(self) -> int:
        """Images written so far."""
        return self._count

    def append(self, images: Images, rows: pd.DataFrame) -> None:
        """Add a block; raises UserError if the disk is full.

        Args:
            images: uint8 B×H×W×C.
            rows: B rows with at least `COLUMNS`; every block has the same columns.
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
        """Write index and card, then rename the finished folder into place.

        Args:
            name: the data set's name in params.yaml.
            source: where the images are from, as the user wrote it.
            licence: what is known of it; ``"unknown"`` if nothing is.
            factors: index columns that are true generative factors.
            attributes: index columns that describe the images otherwise.
            rejected: ``{"origin": ..., "reason": ...}`` for each file that was left out.
            notes: more facts for the card.

        Raises:
            UserError: if the store would be empty.
        """
        if self._count == 0:
            reasons = sorted({row["reason"] for row in rejected})
            detail = f" ({len(rejected)} rejected: {reasons[0]})" if reasons else ""
            raise UserError(f"data.{name}.source: no usable image in {source}{detail}")
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
