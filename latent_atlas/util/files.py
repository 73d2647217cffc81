"""Files on disk: written whole or not at all, and folders walked in one stable order.

Imports nothing heavy: the door that looks for changed sources runs at every `dvc repro`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from latent_atlas.util.console import UserError

# What operating systems leave beside the files that people put there.
CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: to a temporary name, then rename.

    Raises:
        UserError: if the place cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys, atomically."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode())


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Write a folder whole or not at all: the block fills a temporary one, which then replaces it.

    Raises:
        UserError: if the place cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_hidden(name: str) -> bool:
    """Whether a file or folder name is the system's own rather than the user's."""
    return name.startswith(".") or name in CLUTTER


def base_folder(path: Path) -> Path:
    """The folder of the images that a CSV or JSON describes: its own, or the one around COCO's
    ``annotations``.
    """
    folder = path.parent
    return (
        folder.parent if path.suffix.lower() == ".json" and folder.name == "annotations" else folder
    )


def walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every file below `folder` with its relative name, sorted by the parts of the name.

    Hidden files and folders are passed over. A link to a folder is yielded as an entry and not
    entered, so the walk neither leaves `folder` nor runs in circles.
    """
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if is_hidden(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry
