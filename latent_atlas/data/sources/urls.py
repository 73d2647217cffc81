"""What every kind of URL shares: what may be shown of it, how much may come, what can go wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from latent_atlas.util.console import UserError

MAX_BYTES = 256 * 2**30  # of one source; the disk is usually full before

Version = dict[str, Any]


class UnreachableError(UserError):
    """The source may be there, but could not be asked now."""


def is_url(source: str) -> bool:
    """Whether `source` is a URL and not a path; a chain, as fsspec writes it, is one to refuse."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)", source) is not None


def is_http(source: str) -> bool:
    """Whether `source` is an http(s) URL."""
    return urlsplit(source).scheme in ("http", "https") and "::" not in source


def parsed(source: str) -> SplitResult:
    """The parts of a URL; raises UserError, without what may be secret in it, if it is none."""
    try:
        return urlsplit(source)
    except ValueError as error:
        kind = source.partition("://")[0]
        raise UserError(f"source {kind}://…: this is no URL ({error})") from None


def shown(source: str) -> str:
    """`source` without what may be secret: the user, the password and the values of the query."""
    if not is_url(source):
        return source
    if "::" in source:
        return "::".join(shown(part) for part in source.split("::"))
    parts = parsed(source)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


def check_room(total: int, source: str, key: str, folder: Path, reused: int = 0) -> None:
    """Refuse what will not fit before any of it is transferred.

    Args:
        total: bytes of the whole source.
        source: for the error.
        key: the key in params.yaml that the error names.
        folder: where it is to be.
        reused: bytes of it that are there already.
    """
    room = min(shutil.disk_usage(folder).free + reused, MAX_BYTES)
    if total > room:
        raise UserError(
            f"{key}: {shown(source)} has {total} bytes, but {folder} has room for {room}"
        )
