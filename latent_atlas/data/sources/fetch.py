"""Sources on this machine: local paths, and copies of URLs in a cache folder.

Libraries for downloads are imported where they are used: `stages.sources`, which runs at every
`dvc repro`, imports this module.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from latent_atlas.data.sources.urls import (
    UnreachableError,
    Version,
    check_url,
    is_http,
    is_url,
    redact,
)
from latent_atlas.util.console import FieldError, UserError, say
from latent_atlas.util.files import write_json
from latent_atlas.util.locks import exclusive_lock, is_locked

CACHE = Path(".cache")


def repository() -> Path:
    """The folder that relative paths start from.

    `dvc exp run --queue` and ``--temp`` run in a copy below ``.dvc/tmp/exps``. `make verify` runs
    in a temporary clone, and names the original in ``LATENT_ATLAS_ROOT``. Neither has the images
    and downloads, so this is the original repository in both cases.
    """
    original = os.environ.get("LATENT_ATLAS_ROOT")
    if original:
        return Path(original).resolve()
    here = Path.cwd()
    before, copy, _ = here.as_posix().partition("/.dvc/tmp/exps")
    return Path(before) if copy else here


def cache_folder() -> Path:
    """The folder for downloads, created if necessary."""
    return _make_folder(repository() / CACHE)


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error})")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for unpacked files, removed after the block.

    Folders of killed processes are removed first.
    """
    for lock in cache_folder().glob("scratch-*.lock"):
        if not is_locked(lock):
            _remove(lock.with_suffix(""))
            lock.unlink(missing_ok=True)
    folder = cache_folder() / f"scratch-{secrets.token_hex(8)}"
    lock = folder.with_name(f"{folder.name}.lock")
    with exclusive_lock(lock, "another process is using this folder"):
        try:
            yield _make_folder(folder)
        finally:
            _remove(folder)
            lock.unlink(missing_ok=True)


def local_path(source: str) -> Path | None:
    """The path that `source` names on this machine, whether it exists or not; None for a URL.

    A relative path is looked up in the working copy and then in the original repository. One that
    leaves the repository (``../images``) is looked up in the original only.

    Raises:
        FieldError: ``source``, for a file URL with a host, or a home folder of no user.
    """
    if source.startswith("file:"):
        parts = urlsplit(source)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise FieldError("source", f"found {source}, expected file:///absolute/path")
        return Path(unquote(parts.path))
    if is_url(source):
        return None
    try:
        path = Path(source).expanduser()
    except RuntimeError:
        raise FieldError(
            "source", f"found {source}, but there is no such user; write the whole path"
        ) from None
    if path.is_absolute():
        return path
    leaves = Path(os.path.normpath(path)).parts[:1] == (os.pardir,)
    if not leaves and _exists(Path.cwd() / path):
        return Path.cwd() / path
    return Path(os.path.normpath(repository() / path))


def existing_path(source: str) -> Path | None:
    """`local_path` of a source that must exist; None for a URL.

    Raises:
        FieldError: ``source``, if there is no such file or folder.
    """
    check_url(source)
    path = local_path(source)
    if path is not None and not _exists(path):
        raise FieldError(
            "source",
            f"found {source!r}, but there is no file or folder {path}; "
            "expected a path, a URL, drawn:<name>, sklearn:<name> or torchvision:<name>",
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for any file
        return False


def version(source: str, tries: int | None = None) -> Version:
    """Properties of a URL that change with its content, without a download.

    Args:
        source: the URL.
        tries: number of tries over http(s); by default the number for a download.

    Raises:
        UnreachableError: if the server does not answer.
        FieldError: ``source``, if there is no such file or folder.
    """
    if is_http(source):
        from latent_atlas.data.sources import http

        return http.version(source, tries or http.TRIES)
    from latent_atlas.data.sources import remote

    return remote.version(source)


def fetch(source: str, size: int | None = None, sha256: str | None = None) -> Path:
    """Make `source` available on this machine.

    A download is kept in the cache folder and resumed after an interruption. It is used again as
    long as the server has the same version.

    Args:
        source: a path, ``file://``, ``http(s)://`` or any other URL of fsspec, but no chain of
            URLs.
        size: expected number of bytes of a file.
        sha256: expected SHA-256 of a file, as hexadecimal digits.

    Returns:
        The path of the file or folder.

    Raises:
        UnreachableError: if a URL without a copy in the cache cannot be reached.
        FieldError: ``source``, ``size`` or ``sha256``, if it does not exist or is not as expected.
        UserError: if the cache folder cannot be written.
    """
    path = existing_path(source)
    if path is not None:
        _check(path, source, size, sha256)
        return path
    whole = _make_folder(cache_folder() / "downloads") / _cache_name(source)
    lock = whole.with_name(f"{whole.name}.lock")
    with exclusive_lock(lock, f"another process is downloading {redact(source)}", wait=True):
        if sha256 and whole.is_file() and _sha256(whole) == sha256:
            return whole
        try:
            current = version(source)
        except UnreachableError:
            if not whole.exists():
                raise
            say(f"{redact(source)} cannot be reached; using the copy of the last download")
        else:
            if not whole.exists() or not current or _recorded_version(whole) != current:
                _download(source, whole, current, size, sha256)
        _check(whole, source, size, sha256)
        return whole


def _download(
    source: str, whole: Path, current: Version, size: int | None, sha256: str | None
) -> None:
    """Download the version `current` to a temporary name, check it, and rename it to `whole`."""
    part = whole.with_name(f"{whole.name}.part")
    title = whole.name.partition("-")[2]
    try:
        if not current or _recorded_version(part) != current:
            _remove(part)
        write_json(_record(part), current)
        if is_http(source):
            from latent_atlas.data.sources import http

            http.download(source, part, current, size, title)
        else:
            from latent_atlas.data.sources import remote

            remote.download(source, part, size, title)
            if remote.version(source) != current:
                _remove(part)
                raise FieldError(
                    "source", f"{redact(source)} changed during the download; run it again"
                )
        try:
            _check(part, source, size, sha256)
        except FieldError:
            _remove(part)
            raise
        _remove(whole)
        part.rename(whole)
        _record(part).replace(_record(whole))
    except OSError as error:
        raise _unwritable(whole, error) from None


def _cache_name(source: str) -> str:
    last = PurePosixPath(unquote(urlsplit(source).path)).name
    clean = re.sub(r"[^\w.-]", "_", last)[-80:].lstrip(".")
    # A file system counts bytes, at most 255 with the suffixes of records and locks.
    clean = clean.encode()[-200:].decode(errors="ignore")
    return f"{hashlib.sha256(source.encode()).hexdigest()[:16]}-{clean or 'download'}"


def _record(path: Path) -> Path:
    """The file with the version of `path`."""
    return path.with_name(f"{path.name}.json")


def _recorded_version(path: Path) -> Version | None:
    try:
        recorded = json.loads(_record(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return recorded if isinstance(recorded, dict) else None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _check(path: Path, source: str, size: int | None, sha256: str | None) -> None:
    """Compare a file with the expected size and hash."""
    if path.is_dir():
        for field, expected in (("size", size), ("sha256", sha256)):
            if expected is not None:
                raise FieldError(
                    field, f"is for files, but {redact(source)} is a folder; remove this key"
                )
        return
    length = path.stat().st_size
    if size is not None and length != size:
        raise FieldError(
            "size",
            f"{redact(source)} has {length} bytes, expected {size}; "
            "check the source, or correct or remove this key",
        )
    if sha256 is not None and (digest := _sha256(path)) != sha256:
        raise FieldError(
            "sha256",
            f"{redact(source)} has {digest}, expected {sha256}; "
            "check the source, or correct or remove this key",
        )
