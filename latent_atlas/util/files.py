"""Files on disk: atomic writing, and a walk through a folder in a stable order.

It imports nothing heavy, because `stages.sources` runs at every `dvc repro`.
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

CLUTTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Files that operating systems add to folders."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: to a temporary name, which is then renamed.

    Raises:
        UserError: if it cannot be written.
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
def write_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically: the block fills a temporary folder, which then replaces `path`.

    Raises:
        UserError: if it cannot be written.
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
    """Whether a file or folder is hidden, or added by the operating system."""
    return name.startswith(".") or name in CLUTTER


def walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield every file below `folder` with its relative name, sorted by the parts of the name.

    Hidden files and folders are skipped. A link to a folder is yielded and not followed, so the
    walk neither leaves `folder` nor runs in circles.
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
