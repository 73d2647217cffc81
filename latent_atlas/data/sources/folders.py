"""Folders of images, with or without class folders and split folders.

- ``train/hat/1.jpg``, ``valid/hat/2.jpg``: split folders of class folders;
- ``train/1.jpg``, ``valid/2.jpg``: split folders without classes;
- ``hat/1.jpg``, ``shoes/2.jpg``: class folders, at least two;
- ``1.jpg``, ``anything/2.jpg``: images without classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from latent_atlas.data.sources.items import SPLIT_NAMES, IngestRequest, Item, Rejected, Source
from latent_atlas.data.sources.trees import Tree, has_suffix, is_image_name

_KINDS = {
    (True, True): "class folders in split folders",
    (True, False): "split folders",
    (False, True): "class folders",
    (False, False): "folder of images",
}
"""(has split folders, has class folders) → kind of source."""


def has_split_folders(tree: Tree) -> bool:
    """Whether all images lie in folders with names of splits.

    Beside at least two split folders there may be loose images.
    """
    images = _images_by_depth(tree, 1)
    tops = {name.split("/")[0].lower() for name in images if "/" in name}
    complete = len(tops) > 1 or all("/" in name for name in images)
    return bool(tops) and tops <= SPLIT_NAMES.keys() and complete


def has_split_class_folders(tree: Tree) -> bool:
    """Whether all images lie in class folders within split folders."""
    depths = {name.count("/") for name in _images_by_depth(tree, 2)} - {0}
    return bool(depths) and min(depths) >= 2 and has_split_folders(tree)


def has_class_folders(tree: Tree) -> bool:
    """Whether the images lie in at least two folders."""
    tops = {name.split("/")[0] for name in tree.files if "/" in name and is_image_name(name)}
    return len(tops) >= 2


def recognise(tree: Tree, request: IngestRequest) -> Source:
    """Take every image of the tree; its class is the folder at the top, or below its split."""
    splits = has_split_folders(tree)
    classes = has_split_class_folders(tree) if splits else has_class_folders(tree)

    def items() -> Iterator[Item | Rejected]:
        yield from tree.rejected
        for name, content in tree.files.items():
            if not is_image_name(name):
                yield Rejected(name, "not an image")
                continue
            parts = name.split("/")
            if splits and len(parts) == 1:
                yield Rejected(name, "in no split folder")
                continue
            split = SPLIT_NAMES[parts.pop(0).lower()] if splits else None
            label = parts[0] if classes and len(parts) > 1 else None
            yield Item(name, content, split, label)

    return Source(_KINDS[splits, classes], items)


def _images_by_depth(tree: Tree, depth: int) -> list[str]:
    """The images whose place shows the structure of the folders.

    A file without a suffix counts only if it is at least `depth` folders deep: it may be a LICENSE.
    """
    images = (name for name in tree.files if is_image_name(name))
    return [name for name in images if name.count("/") >= depth or has_suffix(name)]
