"""Ingestion of a source into an image store: selection, parallel decoding, writing in order."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import tee
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.config.messages import did_you_mean
from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.decode import Images, Target, decode, resize
from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.fetch import scratch_folder
from latent_atlas.data.sources.items import (
    IngestRequest,
    Item,
    Rejected,
    RejectedError,
    Source,
    Value,
)
from latent_atlas.data.sources.urls import redact
from latent_atlas.data.store import COLUMNS, Store, StoreWriter, open_store, split_of
from latent_atlas.util.console import FieldError, Progress
from latent_atlas.util.parallel import blocks, in_order

_BLOCK = 64  # images per job: enough to hide the cost of a job, few enough for the memory
_SEQUENTIAL = 512  # with fewer images, the start of processes takes longer than decoding


def ingest(name: str, data: DataSet, folder: Path, seed: int = 0) -> Store:
    """Make the image store `folder` from any source that is not drawn.

    Args:
        name: of the data set.
        data: its source, and the sizes and choices of its images.
        folder: of the store, which replaces an older one.
        seed: for random choices, such as crops.

    Raises:
        FieldError: naming the field of `data` that is wrong.
        UserError: if the store cannot be written, or no image can be used.
    """
    with scratch_folder() as scratch:
        source = open_source(IngestRequest(data, seed, scratch))
        write_store(name, data, source, folder)
    return open_store(folder)


@dataclass(frozen=True)
class Selection:
    """The items of a source to ingest, from a pass over it that decodes nothing.

    Attributes:
        classes: the classes to keep; None keeps all, and images without a class too.
        last: the largest `_rank` to keep; None keeps all.
        count: number of selected items.
        by_class: number of items that are left out because of their class.
        by_limit: number of further items that are left out because of the limit.
        has_valid: whether the selected items have a validation split of their own.
    """

    classes: frozenset[str] | None
    last: int | None
    count: int
    by_class: int
    by_limit: int
    has_valid: bool

    def __contains__(self, item: Item) -> bool:
        if self.classes is not None and item.label not in self.classes:
            return False
        return self.last is None or _rank(item.origin) <= self.last


@dataclass(frozen=True)
class Decoded:
    """The images of an item.

    Attributes:
        sha256: of the source bytes, as hexadecimal digits.
        images: uint8 V×H×W×C, one for each view.
    """

    sha256: str
    images: Images


def write_store(
    name: str, data: DataSet, source: Source, folder: Path, jobs: int | None = None
) -> None:
    """Write the image store `folder` from an opened source.

    The rows have the order of the source, and every choice depends on names and content alone. So
    neither the number of jobs nor an additional image changes another row.

    Args:
        name: of the data set.
        data: its sizes and choices.
        source: the opened source.
        folder: of the store.
        jobs: processes that decode; None takes all cores for all but small sources.

    Raises:
        FieldError: for a class that does not exist, or if no image of the source's own validation
            split can be used.
        UserError: if the store cannot be written, or no image can be used.
    """
    selection = _select(data, source)
    if jobs is None and selection.count <= _SEQUENTIAL:
        jobs = 1
    decode_block = partial(_decode_block, target=_target(data))
    # Two lists, because the source is read ahead by a number of items that depends on the jobs.
    not_read: list[Rejected] = []
    not_written: list[Rejected] = []
    origins: dict[bytes, str] = {}
    share = 0.0 if selection.has_valid else data.valid_share
    has_valid_image = False
    columns = [*COLUMNS, *source.attributes, *source.factors]

    with (
        StoreWriter(folder, data.height, data.width, data.channels) as writer,
        Progress(f"ingest {name}", selection.count, "images") as progress,
    ):
        selected = blocks(_selected(source, selection, not_read), _BLOCK)
        to_decode, to_write = tee(selected)
        results = in_order(decode_block, to_decode, jobs=jobs)
        for decoded, block in zip(results, to_write, strict=True):
            kept = list(_without_duplicates(block, decoded, not_written, origins))
            if kept:
                rows = [row for item, result in kept for row in _rows(item, result.sha256, share)]
                has_valid_image |= any(row["split"] == "valid" for row in rows)
                writer.append(
                    np.concatenate([result.images for _, result in kept]),
                    pd.DataFrame(rows, columns=columns, dtype=object),
                )
            progress.advance(len(block))
            count = len(not_read) + len(not_written)
            progress.note(f"{count} rejected" if count else "")
        rejected = [*not_read, *not_written]
        if selection.has_valid and not has_valid_image:
            raise _no_valid_image(data, source, rejected)
        writer.finish(
            name=name,
            source=redact(data.source),
            licence=data.known_licence,
            factors=source.factors,
            attributes=source.attributes,
            rejected=[{"origin": file.origin, "reason": file.reason} for file in rejected],
            notes={
                "kind": source.kind,
                "fit": data.fit,
                "left_out": {"classes": selection.by_class, "limit": selection.by_limit},
                "splits_from": "the source" if selection.has_valid else "content",
            },
        )


def _target(data: DataSet) -> Target:
    return Target(data.height, data.width, data.channels, data.fit)


def _no_valid_image(data: DataSet, source: Source, rejected: Sequence[Rejected]) -> FieldError:
    items = (item for item in source.items() if isinstance(item, Item))
    valid = {item.origin for item in items if item.split == "valid"}
    broken = [file for file in rejected if file.origin in valid]
    return FieldError(
        "source",
        f"no image of the validation split of {redact(data.source)} can be used ({len(broken)} of "
        f"them rejected, e.g. {broken[0].origin}: {broken[0].reason}); fix them, select others "
        "by classes or limit, or remove the split",
    )


def _select(data: DataSet, source: Source) -> Selection:
    items = (item for item in source.items() if isinstance(item, Item))
    labels: Counter[str | None] = Counter(item.label for item in items)
    classes = _classes(data, labels)
    total = labels.total()
    of_classes = total if classes is None else sum(labels[label] for label in classes)
    last, count = None, of_classes
    if data.limit is not None and data.limit < of_classes:
        count = data.limit
        unlimited = Selection(classes, None, of_classes, 0, 0, has_valid=False)
        ranks = (
            _rank(item.origin)
            for item in source.items()
            if isinstance(item, Item) and item in unlimited
        )
        last = heapq.nsmallest(count, ranks)[-1]
    selection = Selection(
        classes, last, count, total - of_classes, of_classes - count, has_valid=False
    )
    has_valid = any(
        isinstance(item, Item) and item.split == "valid" and item in selection
        for item in source.items()
    )
    return replace(selection, has_valid=has_valid)


def _classes(data: DataSet, labels: Counter[str | None]) -> frozenset[str] | None:
    """The classes to keep: those of the list in `data`, or the given number of largest classes."""
    if data.classes is None:
        return None
    names = sorted((label for label in labels if label is not None), key=lambda x: (-labels[x], x))
    if not names:
        raise FieldError("classes", f"{redact(data.source)} has no classes; write null")
    if isinstance(data.classes, int):
        return frozenset(names[: data.classes])
    for label in data.classes:
        if label not in labels:
            raise FieldError(
                "classes",
                f"no class {label!r} in {redact(data.source)}{did_you_mean(label, names)} "
                f"(there are {', '.join(names[:20])}{', …' if len(names) > 20 else ''})",
            )
    return frozenset(data.classes)


def _rank(origin: str) -> int:
    """A number that depends on the name alone, so that a limit keeps no block of similar images."""
    return int.from_bytes(hashlib.sha256(origin.encode()).digest(), "big")


def _selected(source: Source, selection: Selection, rejected: list[Rejected]) -> Iterator[Item]:
    for item in source.items():
        if isinstance(item, Rejected):
            rejected.append(item)
        elif item in selection:
            yield item


def _decode_block(block: Sequence[Item], target: Target) -> list[Decoded | Rejected]:
    """Decode a block of items; this runs in the worker processes."""
    return [_decode(item, target) for item in block]


def _decode(item: Item, target: Target) -> Decoded | Rejected:
    try:
        data = item.content.read()
        if item.pixels is not None:
            images = resize(np.frombuffer(data, np.uint8).reshape(item.pixels), target)
        else:
            images = decode(data, target, item.views, item.size)
    except RejectedError as error:
        return Rejected(item.origin, str(error))
    return Decoded(hashlib.sha256(data).hexdigest(), images)


def _without_duplicates(
    block: Sequence[Item],
    results: Sequence[Decoded | Rejected],
    rejected: list[Rejected],
    origins: dict[bytes, str],
) -> Iterator[tuple[Item, Decoded]]:
    """Yield what was decoded, and reject content that came before.

    Args:
        block: items.
        results: of decoding them.
        rejected: is extended.
        origins: SHA-256 of all earlier content → its first origin; is extended.
    """
    for item, result in zip(block, results, strict=True):
        if isinstance(result, Rejected):
            rejected.append(result)
            continue
        if item.number is not None:
            yield item, result
            continue
        first = origins.setdefault(bytes.fromhex(result.sha256), item.origin)
        if first != item.origin:
            rejected.append(Rejected(item.origin, f"duplicate of {first}"))
        else:
            yield item, result


def _rows(item: Item, sha256: str, valid_share: float) -> Iterator[dict[str, Value]]:
    """The index rows of an item, one for each view."""
    split = item.split
    if split is None or (split == "train" and valid_share > 0):
        split = split_of(sha256, valid_share)
    name = sha256[:16] if item.number is None else f"{sha256[:16]}-{item.number:07d}"
    for view in item.views:
        row: dict[str, Value] = {
            "id": name + (f"-{view.name}" if view.name else ""),
            "split": split,
            "label": item.label,
            "origin": item.origin,
            "sha256": sha256,
            **item.attributes,
            **view.attributes,
        }
        if view.name:
            row["parent"] = name
        yield row
