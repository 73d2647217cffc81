"""Downloads over http(s), with resumption, retries and limits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from latent_atlas.data.sources.urls import (
    MAX_BYTES,
    UnreachableError,
    Version,
    check_free_space,
    redact,
)
from latent_atlas.util.console import FieldError, Progress

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0
"""Longest wait for the next byte."""

TRIES = 6
"""Consecutive tries without a new byte."""

PAUSE_SECONDS = 1.0
"""Pause before the second try; it doubles with each further one."""

_CHUNK = 64 * 1024
_KILO = 1000
_TIMEOUT = (CONNECT_SECONDS, STALL_SECONDS)

Result = TypeVar("Result")


def version(url: str, tries: int = TRIES) -> Version:
    """ETag, Last-Modified and Content-Length, as far as the server sends them.

    Raises:
        UnreachableError: if the server does not answer in `tries` tries.
        FieldError: ``source``, if the server refuses the file.
    """

    def read_headers(session: requests.Session) -> Version:
        response = session.head(url, allow_redirects=True, timeout=_TIMEOUT)
        if response.status_code in (403, 405, 501):  # from servers without HEAD
            response = session.get(url, stream=True, timeout=_TIMEOUT)
        with response:
            _raise_for_status(response, url)
            names = ("ETag", "Last-Modified", "Content-Length")
            return {name: response.headers[name] for name in names if name in response.headers}

    return _with_retries(read_headers, url, tries, lambda: 0)


def download(url: str, part: Path, current: Version, size: int | None, title: str) -> None:
    """Download `url` into the file `part`, continuing after the bytes that it holds.

    Args:
        url: of the file.
        part: holds nothing, or the beginning of the version `current`.
        current: the result of `version`.
        size: expected number of bytes; None for any.
        title: for the progress bar.

    Raises:
        UnreachableError: if the server stops answering.
        FieldError: ``source`` or ``size``, if the file is refused or not as expected.
    """
    length = str(current.get("Content-Length", ""))
    total = int(length) // _KILO if length.isdecimal() else None
    with Progress(f"download {title}", total, "kB", start=_length(part) // _KILO) as progress:

        def receive(session: requests.Session) -> None:
            _receive(session, url, part, current, size, progress)

        _with_retries(receive, url, TRIES, lambda: _length(part))


def _receive(
    session: requests.Session,
    url: str,
    part: Path,
    current: Version,
    size: int | None,
    progress: Progress,
) -> None:
    """Request the missing bytes once, and write them until the end or an interruption."""
    done, validator = _length(part), _validator(current)
    headers = {}
    if done and validator:
        headers = {"Range": f"bytes={done}-", "If-Range": validator}
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == 416:  # the file is now shorter than the part
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the server has no further bytes")
        _raise_for_status(response, url)
        if response.status_code == 206 and _is_another_version(response, validator):
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the file changed during the download")
        start, total = _extent(response, done)
        if total is not None:
            if size is not None and total != size:
                raise FieldError(
                    "size",
                    f"{redact(url)} has {total} bytes, expected {size}; "
                    "check the source, or correct or remove this key",
                )
            check_free_space(total, url, part.parent, done)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            try:
                for block in response.raw.stream(_CHUNK, decode_content=False):
                    before = file.tell()
                    file.write(block)
                    progress.advance(file.tell() // _KILO - before // _KILO)
                    if file.tell() > (size or MAX_BYTES):
                        raise FieldError(
                            "source",
                            f"{redact(url)} sends more than {size or MAX_BYTES} bytes; check it",
                        )
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(type(error).__name__) from None
    if total is not None and _length(part) != total:
        raise requests.ConnectionError(f"received {_length(part)} of {total} bytes")


def _extent(response: requests.Response, done: int) -> tuple[int, int | None]:
    """First byte of the response's body in the file, and length of the file (None if unknown)."""
    if response.status_code == 206:
        sent = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", sent)
        if match is None or int(match[1]) != done:
            raise requests.ConnectionError("the server sent another range than requested")
        return done, None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _with_retries(
    attempt: Callable[[requests.Session], Result], url: str, tries: int, done: Callable[[], int]
) -> Result:
    """Call `attempt` until it succeeds.

    Args:
        attempt: one request.
        url: for errors.
        tries: consecutive failures without progress after which it gives up.
        done: bytes so far.
    """
    failed, best = 0, done()
    with requests.Session() as session:
        # Without compression: sizes, hashes and ranges are those of the stored file.
        session.headers["Accept-Encoding"] = "identity"
        while True:
            try:
                return attempt(session)
            except (requests.ConnectionError, requests.Timeout) as error:
                reason = _reason(error)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise FieldError(
                    "source",
                    f"{redact(url)} cannot be requested ({type(error).__name__}); "
                    "check the address",
                ) from None
            failed = 1 if done() > best else failed + 1
            best = max(best, done())
            if failed >= tries:
                raise UnreachableError(f"{redact(url)} cannot be reached ({reason})")
            time.sleep(PAUSE_SECONDS * 2 ** (failed - 1))


def _reason(error: Exception) -> str:
    """Short text of an error. Long messages of libraries hold the URL, and perhaps a password."""
    text = str(error)
    return text if len(text) < 60 and "/" not in text else type(error).__name__


def _raise_for_status(response: requests.Response, url: str) -> None:
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise requests.ConnectionError(f"status {status} {response.reason}")
    if status >= 400:
        hints = {401: "it needs a password", 403: "it is forbidden", 404: "there is no such file"}
        hint = hints.get(status, "check the address")
        raise FieldError("source", f"{redact(url)} answers {status} {response.reason}; {hint}")


def _validator(current: Version) -> str | None:
    """Value for If-Range: a strong ETag or a date (RFC 9110, section 13.1.5)."""
    etag = str(current.get("ETag", ""))
    if etag and not etag.startswith("W/"):
        return etag
    date = current.get("Last-Modified")
    return str(date) if date else None


def _is_another_version(response: requests.Response, validator: str | None) -> bool:
    """Whether a range is of another version than requested: some servers ignore If-Range."""
    name = "ETag" if (validator or "").startswith('"') else "Last-Modified"
    return response.headers.get(name, validator) != validator


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
