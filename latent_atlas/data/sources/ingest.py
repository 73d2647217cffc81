"""A recognised source into a store: choose, decode by all cores, write in order."""

from __future__ import annotations

import difflib
import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.decode import Images, Target, decode, resize
from latent_atlas.data.sources.items import Item, Rejected, RejectedError, Source, Value
from latent_atlas.data.sources.pool import blocks, cores, in_order
from latent_atlas.data.sources.urls import shown
from latent_atlas.data.store import COLUMNS, StoreWriter, split_of
from latent_atlas.util.console import Progress, UserError

_BLOCK = 64  # images a task: enough to hide what handing over costs, little enough to hold
_ALONE = 512  # up to so many images, starting processes takes longer than decoding


@dataclass(frozen=True)
class Survey:
    """What one pass over a source tells without decoding anything.

    Attributes:
        classes: the classes to keep; None keeps all, and images without a class too.
        last: the largest `_rank` to keep; None keeps all.
        chosen: how many items remain.
        by_class: how many items are left out because of their class.
        by_limit: how many more because of the limit.
        has_valid: whether the source has a validation split of its own.
    """

    classes: frozenset[str] | None
    last: int | None
    chosen: int
    by_class: int
    by_limit: int
    has_valid: bool

    def keeps(self, item: Item) -> bool:
        """Whether the item is one of the chosen."""
        if self.classes is not None and item.label not in self.classes:
            return False
        return self.last is None or _rank(item.origin) <= self.last


@dataclass(frozen=True)
class Made:
    """What became of an item.

    Attributes:
        sha256: of the source bytes, in hex.
        images: uint8 V×H×W×C, one for each view.
    """

    sha256: str
    images: Images


def ingest(
    name: str, data: DataSet, source: Source, folder: Path, workers: int | None = None
) -> None:
    """Write the image store `folder` from `source`.

    The order of the rows is the source's own and every choice follows from names and content, so
    neither the number of workers nor the arrival of a further image changes another row.

    Args:
        name: the data set's name in params.yaml.
        data: what is asked of it.
        source: what was recognised.
        folder: where the store is to be.
        workers: processes that decode; all cores by default.

    Raises:
        UserError: if not one image can be used, not one of the source's own validation images
            can, or a class does not exist.
    """
    survey = _survey(name, data, source)
    target = Target(data.height, data.width, data.channels, data.fit)
    if workers is None:
        workers = 1 if survey.chosen <= _ALONE else cores()
    prepare = partial(_prepare, target=target)
    rejected: list[Rejected] = []
    seen: dict[bytes, str] = {}
    share = 0.0 if survey.has_valid else data.valid_share
    validated = False

    with (
        StoreWriter(folder, data.height, data.width, data.channels) as writer,
        Progress(f"ingest {name}", survey.chosen, "images") as progress,
    ):
        chosen = _chosen(source, survey, rejected)
        for block, made in in_order(prepare, blocks(chosen, _BLOCK), workers):
            kept = list(_keep(block, made, rejected, seen))
            if kept:
                rows = [row for item, one in kept for row in _rows(item, one.sha256, share)]
                validated = validated or any(row["split"] == "valid" for row in rows)
                columns = [*COLUMNS, *source.attributes, *source.factors]
                writer.append(
                    np.concatenate([one.images for _, one in kept]),
                    pd.DataFrame(rows, columns=columns, dtype=object),
                )
            progress.advance(len(block))
            progress.note(f"{len(rejected)} rejected" if rejected else "")
        if survey.has_valid and not validated:
            raise _none_valid(name, data, source, rejected)
        writer.finish(
            name=name,
            source=shown(data.source),
            licence=data.known_licence,
            factors=source.factors,
            attributes=source.attributes,
            rejected=[{"origin": one.origin, "reason": one.reason} for one in rejected],
            notes={
                "kind": source.kind,
                "fit": data.fit,
                "left_out": {"classes": survey.by_class, "limit": survey.by_limit},
                "splits_from": "the source" if survey.has_valid else "content",
            },
        )


def _none_valid(
    name: str, data: DataSet, source: Source, rejected: Sequence[Rejected]
) -> UserError:
    """The error that names what became of the source's own validation images."""
    items = (item for item in source.items() if isinstance(item, Item))
    valid = {item.origin for item in items if item.split == "valid"}
    broken = [one for one in rejected if one.origin in valid]
    return UserError(
        f"data.{name}.source: not one image of the validation split of {shown(data.source)} can "
        f"be used ({len(broken)} of them rejected, e.g. {broken[0].origin}: {broken[0].reason}); "
        f"mend them, choose others by data.{name}.classes or limit, or take the split away"
    )


def _survey(name: str, data: DataSet, source: Source) -> Survey:
    items = (item for item in source.items() if isinstance(item, Item))
    labels: Counter[str | None] = Counter(item.label for item in items)
    classes = _classes(name, data, labels)
    total = labels.total()
    chosen = total if classes is None else sum(labels[label] for label in classes)
    last = None
    if data.limit is not None and data.limit < chosen:
        every = Survey(classes, None, chosen, 0, 0, has_valid=False)
        ranks = (
            _rank(item.origin)
            for item in source.items()
            if isinstance(item, Item) and every.keeps(item)
        )
        last = heapq.nsmallest(data.limit, ranks)[-1]
    kept = chosen if last is None else int(data.limit or 0)
    survey = Survey(classes, last, kept, total - chosen, chosen - kept, has_valid=False)
    has_valid = any(
        isinstance(item, Item) and item.split == "valid" and survey.keeps(item)
        for item in source.items()
    )
    return replace(survey, has_valid=has_valid)


def _classes(name: str, data: DataSet, labels: Counter[str | None]) -> frozenset[str] | None:
    """The classes that ``classes`` asks for: those named, or the so many with the most images."""
    if data.classes is None:
        return None
    there = sorted((label for label in labels if label is not None), key=lambda x: (-labels[x], x))
    if not there:
        raise UserError(f"data.{name}.classes: {shown(data.source)} has no classes; write null")
    if isinstance(data.classes, int):
        return frozenset(there[: data.classes])
    for label in data.classes:
        if label not in labels:
            near = difflib.get_close_matches(label, there, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(
                f"data.{name}.classes: no class {label!r} in {shown(data.source)}{hint} "
                f"(there are {', '.join(there[:20])}{', …' if len(there) > 20 else ''})"
            )
    return frozenset(data.classes)


def _rank(origin: str) -> int:
    """A number that the name alone decides, so that a limit keeps no block of similar images."""
    return int.from_bytes(hashlib.sha256(origin.encode()).digest(), "big")


def _chosen(source: Source, survey: Survey, rejected: list[Rejected]) -> Iterator[Item]:
    for item in source.items():
        if isinstance(item, Rejected):
            rejected.append(item)
        elif survey.keeps(item):
            yield item


def _prepare(block: Sequence[Item], target: Target) -> list[Made | Rejected]:
    """Decode a block of items: the part that runs in the worker processes."""
    return [_decode(item, target) for item in block]


def _decode(item: Item, target: Target) -> Made | Rejected:
    try:
        data = item.content.read()
        if item.pixels is not None:
            images = resize(np.frombuffer(data, np.uint8).reshape(item.pixels), target)
        else:
            images = decode(data, target, item.views, item.size)
    except RejectedError as error:
        return Rejected(item.origin, str(error))
    return Made(hashlib.sha256(data).hexdigest(), images)


def _keep(
    block: Sequence[Item],
    made: Sequence[Made | Rejected],
    rejected: list[Rejected],
    seen: dict[bytes, str],
) -> Iterator[tuple[Item, Made]]:
    """Pass on what was decoded, except for content that came before."""
    for item, one in zip(block, made, strict=True):
        if isinstance(one, Rejected):
            rejected.append(one)
            continue
        if item.number is not None:
            yield item, one
            continue
        first = seen.setdefault(bytes.fromhex(one.sha256), item.origin)
        if first != item.origin:
            rejected.append(Rejected(item.origin, f"duplicate of {first}"))
        else:
            yield item, one


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
