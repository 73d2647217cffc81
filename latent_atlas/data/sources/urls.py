"""URLs of sources: parsing, redaction of secrets, limits and errors."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from latent_atlas.util.console import FieldError

MAX_BYTES = 256 * 2**30
"""Limit for one source; the disk is usually full before."""

Version = dict[str, Any]


class UnreachableError(FieldError):
    """The server of a source does not answer; the source may exist."""

    def __init__(self, problem: str) -> None:
        super().__init__("source", problem)


def is_url(source: str) -> bool:
    """Whether `source` is a URL and not a path. A chain of URLs, as fsspec has them, counts too."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)", source) is not None


def is_http(source: str) -> bool:
    """Whether `source` is an http(s) URL."""
    return urlsplit(source).scheme in ("http", "https") and "::" not in source


def check_url(source: str) -> None:
    """Raise FieldError for a source that looks like a URL but cannot be parsed."""
    try:
        urlsplit(source)
    except ValueError as error:
        raise FieldError(
            "source", f"{_scheme(source)}://… is not a valid URL ({error}); correct it"
        ) from None


def redact(source: str) -> str:
    """`source` without possible secrets: the user, the password and the values of the query."""
    if not is_url(source):
        return source
    if "::" in source:
        return "::".join(redact(part) for part in source.split("::"))
    try:
        parts = urlsplit(source)
    except ValueError:  # `check_url` refuses it
        return f"{_scheme(source)}://…"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


def _scheme(source: str) -> str:
    return source.partition("://")[0]


def check_free_space(total: int, source: str, folder: Path, present: int = 0) -> None:
    """Check before a transfer that the source will fit.

    Args:
        total: bytes of the whole source.
        source: for the error.
        folder: of the download.
        present: bytes that an earlier, interrupted download has left there.

    Raises:
        FieldError: if it will not fit.
    """
    free = min(shutil.disk_usage(folder).free + present, MAX_BYTES)
    if total > free:
        raise FieldError(
            "source",
            f"{redact(source)} has {total} bytes, but {folder} has space for {free}; "
            "free some space or choose a smaller source",
        )
