"""Downloads of files and folders from any file system of fsspec, e.g. ``s3://`` or ``gs://``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fsspec.core import url_to_fs

from latent_atlas.data.sources.urls import (
    MAX_BYTES,
    UnreachableError,
    Version,
    check_free_space,
    redact,
)
from latent_atlas.util.console import FieldError, Progress

_CHUNK = 2**20

# Entries of a file's info that change with its content; each file system has names of its own.
_SIZES = ("size", "ETag", "etag", "md5Hash", "content_hash", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


def version(source: str) -> Version:
    """Size, ETag and times of a file, or a hash of those of all files in a folder.

    Raises:
        UnreachableError: if the file system does not answer.
        FieldError: ``source``, if there is no such file or folder, or no package for such URLs.
    """
    with _file_system(source) as (system, path):
        info = system.info(path)
        if info["type"] != "directory":
            return _version_of(info)
        files = _files(system, path)
        text = json.dumps({name: _version_of(file) for name, file in files.items()}, sort_keys=True)
        return {"files": len(files), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def download(source: str, part: Path, size: int | None, title: str) -> None:
    """Download a file or a folder to `part`, continuing after the bytes that it holds.

    Args:
        source: the URL.
        part: what it holds must be of the same `version`.
        size: expected number of bytes of a file; None for any.
        title: for the progress bar.

    Raises:
        UnreachableError: if the file system stops answering.
        FieldError: ``source``, if it does not exist, does not fit or is larger than expected.
    """
    with _file_system(source) as (system, path):
        info = system.info(path)
        is_folder = info["type"] == "directory"
        files = _files(system, path) if is_folder else {"": info}
        limit = MAX_BYTES if is_folder or size is None else size
        done = 0
        if is_folder:
            part.mkdir(exist_ok=True)
        targets = {name: part / name if name else part for name in files}
        total = sum(int(file.get("size") or 0) for file in files.values())
        present = sum(_present(file, targets[name]) for name, file in files.items())
        check_free_space(total, source, part.parent, present)
        with Progress(f"download {title}", len(files), "files") as progress:
            for name, file in files.items():
                targets[name].parent.mkdir(parents=True, exist_ok=True)
                done += _receive(system, file, targets[name], limit - done)
                if done > limit:
                    raise FieldError(
                        "source", f"{redact(source)} sends more than {limit} bytes; check it"
                    )
                progress.advance()


def _present(info: dict[str, Any], target: Path) -> int:
    """Bytes of `target` from an interrupted download; 0 if nothing but a size shows the version."""
    has_version = any(info.get(name) is not None for name in (*_SIZES[1:], *_TIMES))
    length = target.stat().st_size if has_version and target.is_file() else 0
    return length if length <= int(info.get("size") or 0) else 0


def _receive(system: Any, info: dict[str, Any], target: Path, limit: int) -> int:
    """Copy a file until its end or `limit` bytes are exceeded; returns the length of `target`."""
    done = _present(info, target)
    if done and done == info["size"]:
        return done
    with system.open(info["name"], "rb") as sent:
        if done and sent.seekable():
            sent.seek(done)
        else:
            done = 0
        with target.open("ab" if done else "wb") as file:
            while done <= limit and (block := sent.read(_CHUNK)):
                done += file.write(block)
    return done


@contextmanager
def _file_system(source: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL and the path in it; all its errors become one line.

    A chain of URLs is refused: its links download and unpack by themselves, without any limit.
    """
    if "::" in source:
        raise FieldError(
            "source",
            f"{redact(source)} is a chain of URLs; give only the part after its last ::, "
            "which may be a file, a folder or an archive",
        )
    try:
        system, path = url_to_fs(source)
    except ImportError as error:
        raise FieldError(
            "source", f"{redact(source)} needs another package ({error}); install it"
        ) from None
    except ValueError:
        scheme = urlsplit(source).scheme
        raise FieldError(
            "source", f"{redact(source)} has the unknown URL scheme {scheme}://; check it"
        ) from None
    except Exception as error:  # some connect, or open an archive, when they are created
        raise _one_line(error, source) from None
    try:
        yield system, str(path)
    except FieldError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise _one_line(error, source) from None


def _one_line(error: Exception, source: str) -> FieldError:
    if isinstance(error, FileNotFoundError):
        return FieldError(
            "source", f"{redact(source)}: there is no such file or folder; check the address"
        )
    return UnreachableError(f"{redact(source)} cannot be reached ({type(error).__name__})")


def _version_of(info: dict[str, Any]) -> Version:
    return {name: str(info[name]) for name in (*_SIZES, *_TIMES) if info.get(name) is not None}


def _files(system: Any, path: str) -> dict[str, dict[str, Any]]:
    """Relative name → info of each file below `path`, sorted; names that leave it are dropped."""
    files = {}
    for name, info in sorted(system.find(path, detail=True).items()):
        relative = PurePosixPath(name).relative_to(path)
        if relative.parts and ".." not in relative.parts:
            files[relative.as_posix()] = info
    return files
