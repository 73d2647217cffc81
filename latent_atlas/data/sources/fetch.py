"""Sources on this machine: a local path as it is, a URL as a checked copy in a cache folder.

What downloads is imported where it is needed: `stages.sources` runs at every `dvc repro`.
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

from latent_atlas.data.sources.urls import UnreachableError, Version, is_http, is_url, parsed, shown
from latent_atlas.util.console import UserError, say
from latent_atlas.util.files import write_json

CACHE = Path(".cache")


def repository() -> Path:
    """The folder that relative paths start from.

    `dvc exp run --queue` and ``--temp`` work in a copy below ``.dvc/tmp/exps``, and `verify` in a
    temporary clone that names the original in ``LATENT_ATLAS_ROOT``. Images and downloads are in
    neither, so both look in the real repository.
    """
    named = os.environ.get("LATENT_ATLAS_ROOT")
    if named:
        return Path(named).resolve()
    here = Path.cwd()
    before, copy, _ = here.as_posix().partition("/.dvc/tmp/exps")
    return Path(before) if copy else here


def cache() -> Path:
    """The folder for downloads, made if it is not there."""
    return _made(repository() / CACHE)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error})")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for unpacked files, gone after the block; what a killed process left goes before."""
    from latent_atlas.util.locks import alone, held

    for lock in cache().glob("scratch-*.lock"):
        if not held(lock):
            _remove(lock.with_suffix(""))
            lock.unlink(missing_ok=True)
    folder = cache() / f"scratch-{secrets.token_hex(8)}"
    lock = folder.with_name(f"{folder.name}.lock")
    with alone(lock, "another process unpacks there"):
        try:
            yield _made(folder)
        finally:
            _remove(folder)
            lock.unlink(missing_ok=True)


def local_path(source: str) -> Path | None:
    """The path that `source` names on this machine, whether or not it exists; None for a URL.

    A relative path is looked for in the working copy first and then in the real repository; one
    that leaves the repository (``../images``) in the real one only.
    """
    if source.startswith("file:"):
        parts = urlsplit(source)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise UserError(f"source {source}: a file URL is written file:///absolute/path")
        return Path(unquote(parts.path))
    if is_url(source):
        return None
    try:
        path = Path(source).expanduser()
    except RuntimeError:
        raise UserError(f"source {source}: there is no such user; write the whole path") from None
    if path.is_absolute():
        return path
    leaves = Path(os.path.normpath(path)).parts[:1] == (os.pardir,)
    if not leaves and _exists(Path.cwd() / path):
        return Path.cwd() / path
    return Path(os.path.normpath(repository() / path))


def existing_path(source: str, key: str) -> Path | None:
    """`local_path` of a source that must exist; None for a URL.

    Raises:
        UserError: naming `key`, e.g. ``data.clothes.source``, if there is no such file or folder.
    """
    parsed(source)
    path = local_path(source)
    if path is not None and not _exists(path):
        raise UserError(
            f"{key}: found {source!r}, but there is no file or folder {path}; "
            "expected a path, a URL, drawn:<name>, sklearn:<name> or torchvision:<name>"
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for any file
        return False


def version(source: str, key: str, tries: int | None = None) -> Version:
    """What tells one content of a URL from the next, without downloading it.

    Args:
        source: the URL.
        key: the key in params.yaml that an error names.
        tries: how often to ask over http(s); as often as for a download by default.

    Raises:
        UnreachableError: if it cannot be asked.
        UserError: if there is no such thing.
    """
    if is_http(source):
        from latent_atlas.data.sources import http

        return http.version(source, key, tries or http.TRIES)
    from latent_atlas.data.sources import remote

    return remote.version(source, key)


def fetch(source: str, key: str, size: int | None = None, sha256: str | None = None) -> Path:
    """Bring `source` onto this machine and return its path.

    A download is kept in the cache folder, resumed after an interruption, and used again as long
    as the server still has the same version.

    Args:
        source: a path, ``file://``, ``http(s)://`` or any other URL that fsspec can open; no chain
            of them.
        key: the key in params.yaml that an error names.
        size: expected number of bytes of a file.
        sha256: expected SHA-256 of a file, in hex.

    Raises:
        UserError: if it is not there, not whole, or not what was expected.
    """
    path = existing_path(source, key)
    if path is not None:
        _check(path, source, key, size, sha256)
        return path
    from latent_atlas.util.locks import alone

    whole = _made(cache() / "downloads") / _cache_name(source)
    lock = whole.with_name(f"{whole.name}.lock")
    with alone(lock, f"{key}: another process downloads it", wait=True):
        if sha256 and whole.is_file() and _sha256(whole) == sha256:
            return whole
        try:
            now = version(source, key)
        except UnreachableError:
            if not whole.exists():
                raise
            say(f"{key}: {shown(source)} cannot be reached; using the copy of the last download")
        else:
            if not whole.exists() or not now or _recorded(whole) != now:
                _download(source, key, whole, now, size, sha256)
        _check(whole, source, key, size, sha256)
        return whole


def _download(
    source: str, key: str, whole: Path, now: Version, size: int | None, sha256: str | None
) -> None:
    """Bring the version `now` to a temporary name, check it, and rename it to `whole`."""
    part = whole.with_name(f"{whole.name}.part")
    title = whole.name.partition("-")[2]
    try:
        if not now or _recorded(part) != now:
            _remove(part)
        write_json(_record(part), now)
        if is_http(source):
            from latent_atlas.data.sources import http

            http.download(source, key, part, now, size, title)
        else:
            from latent_atlas.data.sources import remote

            remote.copy(source, key, part, size, title)
            if remote.version(source, key) != now:
                _remove(part)
                raise UserError(f"{key}: {shown(source)} has changed meanwhile; run it again")
        try:
            _check(part, source, key, size, sha256)
        except UserError:
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
    """The file that says which version `path` is of."""
    return path.with_name(f"{path.name}.json")


def _recorded(path: Path) -> Version | None:
    try:
        found = json.loads(_record(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


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


def _check(path: Path, source: str, key: str, size: int | None, sha256: str | None) -> None:
    """Compare a file with what params.yaml says of it."""
    parent = key.rpartition(".")[0]
    if path.is_dir():
        if size is not None or sha256 is not None:
            raise UserError(
                f"{parent}: size and sha256 describe a file, but {shown(source)} is a folder"
            )
        return
    found = path.stat().st_size
    if size is not None and found != size:
        raise UserError(
            f"{parent}.size: {shown(source)} has {found} bytes, expected {size}; "
            "is it the right file? Correct or remove the key"
        )
    if sha256 is not None and (digest := _sha256(path)) != sha256:
        raise UserError(
            f"{parent}.sha256: {shown(source)} has {digest}, expected {sha256}; "
            "is it the right file? Correct or remove the key"
        )
