"""A cheap fingerprint of a source: another one whenever its content may have changed.

No image is opened. Imports nothing heavy, because every `dvc repro` comes by.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from latent_atlas.data.sources import fetch
from latent_atlas.data.sources.idx_names import labels_names
from latent_atlas.data.sources.urls import shown
from latent_atlas.util.console import UserError
from latent_atlas.util.files import base_folder, is_hidden, walk

BY_NAME = ("drawn:", "sklearn:", "torchvision:")
_TRIES = 2  # the last fingerprint will do where a server does not answer

# Files that describe other files: those around them belong to the source.
_DESCRIBING = (".csv", ".json")

# Labels lie beside such files, and are called as they are.
_IDX = re.compile(r"ubyte|idx[13]")


def fingerprint(source: str, key: str) -> dict[str, Any]:
    """Describe the present state of `source`.

    Data sets that a name defines never change. A file is told by size and time of change, a folder
    by those of all its files, a URL by what its server says without sending it.

    Args:
        source: as in params.yaml.
        key: the key in params.yaml that an error names.

    Raises:
        UnreachableError: if a server cannot be asked.
        UserError: if there is no such source, or a folder of it cannot be read.
    """
    found: dict[str, Any] = {"source": shown(source)}
    if source.startswith(BY_NAME):
        return found
    path = fetch.existing_path(source, key)
    if path is None:
        found["address"] = address(source)
        return found | {"version": fetch.version(source, key, _TRIES)}
    if path.is_dir():
        return found | _folder(path, key)
    if path.suffix.lower() in _DESCRIBING:
        if is_hidden(path.name):  # which the walk passes over and the ingestion does not
            found["file"] = _state(path)
        return found | _folder(base_folder(path), key)
    beside = _beside(path)
    if beside:
        return found | {"files": {name: _state(path.parent / name) for name in sorted(beside)}}
    return found | {"file": _state(path)}


def address(source: str) -> str:
    """A name for a URL: what may be shown of it can be the same for two, its hash is not."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _beside(path: Path) -> set[str]:
    """The names of the files that an IDX file comes with, its own too; none of any other file."""
    found = {name for name in labels_names(path.name) if os.path.lexists(path.parent / name)}
    if _IDX.search(path.name):
        found |= {one.name for one in path.parent.iterdir() if _IDX.search(one.name)}
    return found | {path.name} if found else found


def _folder(folder: Path, key: str) -> dict[str, Any]:
    digest, count = hashlib.sha256(), 0
    try:
        for name, entry in walk(folder.resolve()):
            state = _state(Path(entry.path))
            line = f"{name}\0{state['size']}\0{state['mtime_ns']}\n"
            digest.update(line.encode(errors="surrogateescape"))
            count += 1
    except OSError as error:
        raise UserError(
            f"{key}: {error.filename or folder} cannot be read ({error.strerror or error}); make "
            "it readable, or give a folder without it"
        ) from None
    return {"count": count, "sha256": digest.hexdigest()}


def _state(path: Path) -> dict[str, int]:
    try:
        state = path.stat()
    except OSError:  # a link to nothing
        state = path.lstat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
