"""COCO instances: photographs with boxes, and flipped and cropped variants of them.

A photograph is taken if it has at least ``min_boxes`` boxes, and both its sides have at least
``min_side`` pixels. Regions with ``iscrowd`` 1 do not count as boxes, because one can hold any
number of objects. The label is the category of the largest box. Columns of the index:

- ``variant``: ``original``, ``flip``, or ``crop1``, ``crop2``, …;
- ``parent``: the id of the original row, for the other variants;
- ``categories`` and ``boxes``: two JSON lists of equal length. They hold the categories of the
  boxes that are visible in the row's image, and [x, y, width, height] of each as shares of the
  image's width and height.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from latent_atlas.data.sources.decode import MAX_PIXELS, Target, place
from latent_atlas.data.sources.items import (
    IngestRequest,
    Item,
    Rejected,
    RejectedError,
    Source,
    View,
)
from latent_atlas.data.sources.trees import Finder, Tree, is_image_name
from latent_atlas.util.console import FieldError, UserError

MAX_JSON_BYTES = 4 * 2**30

SMALLEST_CROP = 0.5
"""Side of the smallest crop, as a share of that of the largest region with the target's shape."""

Entry = TypeVar("Entry")

_SPLITS = {"train": "train", "val": "valid", "test": "test"}


@dataclass(frozen=True)
class Box:
    """A category, and left, top, right and bottom as shares of the photograph's sides."""

    category: str
    corners: tuple[float, float, float, float]

    @property
    def area(self) -> float:
        """Area as a share of the photograph's."""
        left, top, right, bottom = self.corners
        return (right - left) * (bottom - top)


@dataclass(frozen=True)
class Photograph:
    """An entry of ``images`` with its boxes, in the order of ``annotations``."""

    file: str
    width: int
    height: int
    boxes: tuple[Box, ...]


def recognise(tree: Tree, request: IngestRequest) -> Source | None:
    """Read the instances at the top or in ``annotations``; None if there are none.

    Raises:
        FieldError: ``source``, if there are several files, and one has no split in its name.
        UserError: if a file is not valid.
    """
    names = [name for name in tree.files if re.fullmatch(r"(annotations/)?[^/]+\.json", name)]
    instances = [name for name in names if "instances" in name.rpartition("/")[2]]
    contents = {name: _parse(tree, name) for name in instances or names}
    if not instances:
        contents = {name: content for name, content in contents.items() if _is_coco(content)}
    return _source(tree, contents, request) if contents else None


def read_json(tree: Tree, name: str, request: IngestRequest) -> Source:
    """Read the JSON `name`, which is the source itself."""
    return _source(tree, {name: _parse(tree, name)}, request)


def _parse(tree: Tree, name: str) -> Any:
    try:
        return json.loads(tree.read(name, MAX_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{tree.where}/{name}: not valid JSON ({error}); fix it, or move it away if it does "
            "not describe the images"
        ) from None


def _is_coco(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations", "categories")
    )


def _source(tree: Tree, contents: Mapping[str, Any], request: IngestRequest) -> Source:
    """The source of parsed annotation files, by their names."""
    splits = {name: _split(name) if len(contents) > 1 else None for name in contents}
    unclear = [name for name, split in splits.items() if len(contents) > 1 and split is None]
    if unclear:
        raise FieldError(
            "source",
            f"found {' and '.join(contents)}, and {unclear[0]} has no split in its name (train, "
            "val, test); rename it, or give the path of one of them",
        )
    photographs = {
        name: _photographs(f"{tree.where}/{name}", content) for name, content in contents.items()
    }
    finder = Finder(tree)

    def items() -> Iterator[Item | Rejected]:
        yield from tree.rejected
        seen = set(contents)
        for table, entries in photographs.items():
            for photograph in entries:
                try:
                    name = finder.find(photograph.file)
                except RejectedError as error:
                    yield Rejected(photograph.file, str(error))
                    continue
                reason = f"named again in {table}" if name in seen else _unfit(photograph, request)
                seen.add(name)
                if reason:
                    yield Rejected(name, reason)
                    continue
                largest = max(photograph.boxes, key=lambda box: box.area, default=None)
                yield Item(
                    name,
                    tree.files[name],
                    splits[table],
                    largest.category if largest else None,
                    size=(photograph.width, photograph.height),
                    views=_views(name, photograph, request),
                )
        for name in tree.files:
            if name not in seen:
                reason = "in no annotation file" if is_image_name(name) else "not an image"
                yield Rejected(name, reason)

    return Source("COCO instances", items, ("parent", "variant", "categories", "boxes"))


def _split(name: str) -> str | None:
    match = re.search(r"train|val|test", name.rpartition("/")[2])
    return _SPLITS[match[0]] if match else None


def _unfit(photograph: Photograph, request: IngestRequest) -> str | None:
    """The reason for which a photograph is not taken; None if it is."""
    options = request.data.coco
    side = min(photograph.width, photograph.height)
    if photograph.width * photograph.height > MAX_PIXELS:
        sides = f"{photograph.width}×{photograph.height}"
        return f"decompression bomb ({sides} pixels, at most {MAX_PIXELS})"
    if len(photograph.boxes) < options.min_boxes:
        return f"{len(photograph.boxes)} boxes, fewer than {options.min_boxes}"
    if side < options.min_side:
        return f"a side of {side} pixels, fewer than {options.min_side}"
    return None


def _photographs(where: str, content: Any) -> list[Photograph]:
    if not _is_coco(content):
        keys = ", ".join(sorted(content)[:8]) if isinstance(content, dict) else "no object"
        raise UserError(
            f"{where}: not a COCO file of instances: found {keys or 'an empty object'}, expected "
            "the lists images, annotations and categories"
        )
    categories = _by_id(where, content, "categories", lambda entry: _text(entry["name"]))
    images = _by_id(where, content, "images", _image)

    def boxed(entry: Mapping[str, Any]) -> tuple[int, Box | None]:
        image = _id(entry, "image_id", images)
        category = categories[_id(entry, "category_id", categories)]
        _, width, height = images[image]
        box = _box(entry["bbox"], width, height, category)
        return image, None if entry.get("iscrowd") else box

    boxes: dict[int, list[Box]] = defaultdict(list)
    for image, box in _entries(where, content, "annotations", boxed):
        if box is not None:
            boxes[image].append(box)
    return [Photograph(*images[image], tuple(boxes[image])) for image in images]


def _entries(
    where: str, content: Any, part: str, read: Callable[[Mapping[str, Any]], Entry]
) -> Iterator[Entry]:
    """Read each entry of a list; the error names the invalid one."""
    for at, entry in enumerate(content[part]):
        try:
            yield read(entry)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = "no" if isinstance(error, KeyError) else f"{type(error).__name__}:"
            raise UserError(
                f"{where}: {part}[{at}] is not a valid COCO entry ({what} {error}); "
                "fix or remove it"
            ) from None


def _by_id(
    where: str, content: Any, part: str, read: Callable[[Mapping[str, Any]], Entry]
) -> dict[int, Entry]:
    """The entries of a list by their ids; raises UserError if two different entries share one."""
    by_id: dict[int, Entry] = {}
    pairs = _entries(where, content, part, lambda entry: (int(entry["id"]), read(entry)))
    for at, (number, entry) in enumerate(pairs):
        if by_id.setdefault(number, entry) != entry:
            raise UserError(
                f"{where}: {part}[{at}] has the id {number} of another entry; give each its own"
            )
    return by_id


def _id(annotation: Mapping[str, Any], key: str, entries: Mapping[int, object]) -> int:
    """The id under `key` of an annotation; raises ValueError if none of `entries` has it."""
    number = int(annotation[key])
    if number not in entries:
        raise ValueError(f"{key} {annotation[key]!r} is the id of no entry")
    return number


def _image(entry: Mapping[str, Any]) -> tuple[str, int, int]:
    file, width, height = entry["file_name"], int(entry["width"]), int(entry["height"])
    if width < 1 or height < 1 or not isinstance(file, str):
        raise ValueError(f"file {file!r} of {width}×{height} pixels")
    return _text(file), width, height


def _text(value: object) -> str:
    """The value as text; raises ValueError if it is not valid Unicode (half a surrogate pair)."""
    text = str(value)
    text.encode()
    return text


def _box(bbox: Any, width: int, height: int, category: str) -> Box | None:
    """A bbox [x, y, width, height] in pixels as a `Box`; None if it has no area in the image."""
    x, y, across, down = (float(number) for number in bbox)
    if not all(map(math.isfinite, (x, y, across, down))):
        raise ValueError(f"bbox {bbox}")
    left, right = (min(max(at / width, 0.0), 1.0) for at in (x, x + across))
    top, bottom = (min(max(at / height, 0.0), 1.0) for at in (y, y + down))
    return Box(category, (left, top, right, bottom)) if left < right and top < bottom else None


def _views(origin: str, photograph: Photograph, request: IngestRequest) -> tuple[View, ...]:
    """The original, its mirror image and its crops, each with its visible boxes."""
    data = request.data
    target = Target(data.height, data.width, data.channels, data.fit)
    views = [View()]
    if data.coco.flips:
        views.append(View("flip", flip=True))
    # Seeded by the name, so the crops of an image do not depend on the other images.
    digest = hashlib.sha256(origin.encode()).digest()
    generator = np.random.default_rng([request.seed, int.from_bytes(digest[:8], "big")])
    for number in range(data.coco.crops):
        views.append(View(f"crop{number + 1}", _crop(photograph, target, generator)))
    return tuple(_with_boxes(view, photograph, target) for view in views)


def _crop(
    photograph: Photograph, target: Target, generator: np.random.Generator
) -> tuple[float, float, float, float]:
    """A random region of the target's shape; its scale and its position are uniform."""
    scale = min(photograph.width / target.width, photograph.height / target.height)
    scale *= generator.uniform(SMALLEST_CROP, 1.0)
    across = target.width * scale / photograph.width
    down = target.height * scale / photograph.height
    left = generator.uniform(0.0, 1.0 - across)
    top = generator.uniform(0.0, 1.0 - down)
    return (left, top, left + across, top + down)


def _with_boxes(view: View, photograph: Photograph, target: Target) -> View:
    """The view with the columns that describe its image."""
    boxes = [(box.category, _visible(box, view, photograph, target)) for box in photograph.boxes]
    visible = [(category, corners) for category, corners in boxes if corners is not None]
    attributes = {
        "parent": None,  # the id of the original, known after its bytes are read
        "variant": view.name or "original",
        "categories": json.dumps([category for category, _ in visible], ensure_ascii=False),
        "boxes": json.dumps([corners for _, corners in visible]),
    }
    return View(view.name, view.region, view.flip, attributes)


def _visible(box: Box, view: View, photograph: Photograph, target: Target) -> list[float] | None:
    """[x, y, width, height] of the box in the view's image; None if it lies outside."""
    placed = place(photograph.width, photograph.height, view, target)
    left, top, right, bottom = placed.box
    x, x_end = (
        (placed.offset[0] + _share(at * photograph.width, left, right) * placed.size[0])
        / target.width
        for at in box.corners[::2]
    )
    y, y_end = (
        (placed.offset[1] + _share(at * photograph.height, top, bottom) * placed.size[1])
        / target.height
        for at in box.corners[1::2]
    )
    if view.flip:
        x, x_end = 1.0 - x_end, 1.0 - x
    corners = [round(number, 4) for number in (x, y, x_end - x, y_end - y)]
    return corners if corners[2] > 0 and corners[3] > 0 else None


def _share(at: float, start: float, end: float) -> float:
    """Position of `at` between `start` and `end` as a share, limited to [0, 1]."""
    return min(max((at - start) / (end - start), 0.0), 1.0)
