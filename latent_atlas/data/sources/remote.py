"""Files and folders of every other kind of URL that fsspec knows, e.g. ``s3://`` or ``gs://``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fsspec.core import url_to_fs

from latent_atlas.data.sources.urls import MAX_BYTES, UnreachableError, Version, check_room, shown
from latent_atlas.util.console import Progress, UserError

_CHUNK = 2**20

# What file systems say of a content, under the names that they use for it.
_SIZES = ("size", "ETag", "etag", "md5Hash", "content_hash", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")


def version(source: str, key: str) -> Version:
    """Size, etag and what else the file system tells of a file; a hash of that of a folder's files.

    Raises:
        UnreachableError: if it cannot be asked.
        UserError: if there is no such file or folder, or no package for such URLs.
    """
    with _file_system(source, key) as (system, path):
        info = system.info(path)
        if info["type"] != "directory":
            return _facts(info)
        found = _files(system, path)
        facts = json.dumps({name: _facts(one) for name, one in found.items()}, sort_keys=True)
        return {"files": len(found), "sha256": hashlib.sha256(facts.encode()).hexdigest()}


def copy(source: str, key: str, part: Path, size: int | None, title: str) -> None:
    """Bring a file or a folder to `part`, going on from what is there already.

    Args:
        source: the URL.
        key: the key in params.yaml that an error names.
        part: where the file or folder is to be; what it holds must be of the same `version`.
        size: expected number of bytes of a file; None if nothing is expected.
        title: what the progress bar calls it.

    Raises:
        UserError: if it is not there, does not fit, or is more than it should be.
    """
    with _file_system(source, key) as (system, path):
        info = system.info(path)
        folder = info["type"] == "directory"
        files = _files(system, path) if folder else {"": info}
        total = sum(int(one.get("size") or 0) for one in files.values())
        most = MAX_BYTES if folder or size is None else size
        done = 0
        if folder:
            part.mkdir(exist_ok=True)
        targets = {name: part / name if name else part for name in files}
        here = sum(_arrived(one, targets[name]) for name, one in files.items())
        check_room(total, source, key, part.parent, here)
        with Progress(f"download {title}", len(files), "files") as progress:
            for name, one in files.items():
                targets[name].parent.mkdir(parents=True, exist_ok=True)
                done += _receive(system, one, targets[name], most - done)
                if done > most:
                    raise UserError(f"{key}: {shown(source)} sends more than {most} bytes")
                progress.advance()


def _arrived(info: dict[str, Any], target: Path) -> int:
    """Bytes of `target` that an earlier try brought: none if only the size tells its version."""
    tells = any(info.get(name) is not None for name in (*_SIZES[1:], *_TIMES))
    length = target.stat().st_size if tells and target.is_file() else 0
    return length if length <= int(info.get("size") or 0) else 0


def _receive(system: Any, info: dict[str, Any], target: Path, most: int) -> int:
    """Copy a file until it ends or is more than `most` bytes; how many bytes it has now."""
    done = _arrived(info, target)
    if done and done == info["size"]:
        return done
    with system.open(info["name"], "rb") as sent:
        if done and sent.seekable():
            sent.seek(done)
        else:
            done = 0
        with target.open("ab" if done else "wb") as file:
            while done <= most and (block := sent.read(_CHUNK)):
                done += file.write(block)
    return done


@contextmanager
def _file_system(source: str, key: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL and the path in it; whatever it raises becomes one line.

    A chain of URLs is refused: its links download and unpack on their own, past every limit.
    """
    if "::" in source:
        raise UserError(
            f"{key}: {shown(source)} is a chain of URLs; give what stands behind its last :: "
            "alone, be it a file, a folder or an archive"
        )
    try:
        system, path = url_to_fs(source)
    except ImportError as error:
        raise UserError(f"{key}: {shown(source)} needs a further package ({error})") from None
    except ValueError:
        kind = urlsplit(source).scheme
        raise UserError(f"{key}: {shown(source)}: unknown kind of URL {kind}://") from None
    except Exception as error:  # some connect, or open an archive, as soon as they are made
        raise _plain(error, source, key) from None
    try:
        yield system, str(path)
    except UserError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise _plain(error, source, key) from None


def _plain(error: Exception, source: str, key: str) -> UserError:
    """What a file system raised, for people."""
    if isinstance(error, FileNotFoundError):
        return UserError(f"{key}: {shown(source)}: there is no such file or folder")
    return UnreachableError(f"{key}: {shown(source)} cannot be reached ({type(error).__name__})")


def _facts(info: dict[str, Any]) -> Version:
    return {name: str(info[name]) for name in (*_SIZES, *_TIMES) if info.get(name) is not None}


def _files(system: Any, path: str) -> dict[str, dict[str, Any]]:
    """Relative name → info of each file below `path`, sorted; names that leave it are dropped."""
    found = {}
    for name, info in sorted(system.find(path, detail=True).items()):
        relative = PurePosixPath(name).relative_to(path)
        if relative.parts and ".." not in relative.parts:
            found[relative.as_posix()] = info
    return found
