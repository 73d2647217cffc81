"""Fingerprint of a source: it changes whenever the content of the source may have changed.

No image is opened. The module imports nothing heavy, because `stages.sources` runs at every
`dvc repro`.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from latent_atlas.data.sources import fetch
from latent_atlas.data.sources.urls import redact
from latent_atlas.util.console import FieldError
from latent_atlas.util.files import is_hidden, walk

BY_NAME = ("drawn:", "sklearn:", "torchvision:")
"""Prefixes of sources that a name defines, so that they never change."""

_TRIES = 2  # if a server does not answer, the last fingerprint is used

# Files that describe images: the images around them belong to the source.
_DESCRIBING = (".csv", ".json")

_IDX = re.compile(r"ubyte|idx[13]")


def fingerprint(source: str) -> dict[str, Any]:
    """Describe the present state of `source`.

    A file is described by its size and time of change, a folder by those of all its files, a URL
    by the properties that its server sends without the content.

    Raises:
        UnreachableError: if a server does not answer.
        FieldError: ``source``, if it does not exist, or its folder cannot be read.
    """
    state: dict[str, Any] = {"source": redact(source)}
    if source.startswith(BY_NAME):
        return state
    path = fetch.existing_path(source)
    if path is None:
        return state | {"address": address(source), "version": fetch.version(source, _TRIES)}
    if path.is_dir():
        return state | _folder_state(path)
    if path.suffix.lower() in _DESCRIBING:
        if is_hidden(path.name):  # the walk skips it, the ingestion does not
            state["file"] = _file_state(path)
        return state | _folder_state(image_folder(path))
    names = _idx_files(path)
    if names:
        files = {name: _file_state(path.parent / name) for name in sorted(names)}
        return state | {"files": files}
    return state | {"file": _file_state(path)}


def address(source: str) -> str:
    """Hash of a URL: two URLs can be equal without their secrets, their hashes are not."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def image_folder(path: Path) -> Path:
    """The folder of the images that a CSV or JSON describes.

    It is the folder of the file, or the one around COCO's ``annotations``.
    """
    folder = path.parent
    is_coco = path.suffix.lower() == ".json" and folder.name == "annotations"
    return folder.parent if is_coco else folder


def label_names(name: str) -> tuple[str, ...]:
    """Possible names of the file of labels beside an IDX file of images, most likely first.

    The last "image" of the name is replaced first, because the others may belong to the name of
    the data set (``imagenet-train-images-idx3-ubyte``); then all of them are. Folders in `name`
    stay, and `name` itself is not among the results.
    """
    folder, slash, last = name.removesuffix(".gz").rpartition("/")
    every = last
    for images, labels in (("image", "label"), ("idx3", "idx1")):
        every = every.replace(images, labels)
        before, match, after = last.rpartition(images)
        last = f"{before}{labels}{after}" if match else last
    plain = [f"{folder}{slash}{candidate}" for candidate in dict.fromkeys((last, every))]
    return tuple(path for base in plain for path in (base, f"{base}.gz") if path != name)


def _idx_files(path: Path) -> set[str]:
    """Names of the files that belong to an IDX file, with its own; empty for any other file."""
    names = {name for name in label_names(path.name) if os.path.lexists(path.parent / name)}
    if _IDX.search(path.name):
        names |= {file.name for file in path.parent.iterdir() if _IDX.search(file.name)}
    return names | {path.name} if names else names


def _folder_state(folder: Path) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    try:
        for name, entry in walk(folder.resolve()):
            state = _file_state(Path(entry.path))
            line = f"{name}\0{state['size']}\0{state['mtime_ns']}\n"
            digest.update(line.encode(errors="surrogateescape"))
            count += 1
    except OSError as error:
        raise FieldError(
            "source",
            f"{error.filename or folder} cannot be read ({error.strerror or error}); change its "
            "permissions, or give a folder without it",
        ) from None
    return {"count": count, "sha256": digest.hexdigest()}


def _file_state(path: Path) -> dict[str, int]:
    try:
        state = path.stat()
    except OSError:  # a broken link
        state = path.lstat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
