"""Downloads over http(s): resumed after an interruption, retried with growing pauses, limited."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from latent_atlas.data.sources.urls import MAX_BYTES, UnreachableError, Version, check_room, shown
from latent_atlas.util.console import Progress, UserError

CONNECT_SECONDS = 10.0
STALL_SECONDS = 30.0  # without a single byte
TRIES = 6  # in a row that bring nothing new
PAUSE_SECONDS = 1.0  # before the second try; doubles with each further one

_CHUNK = 64 * 1024
_KILO = 1000
_TIMEOUT = (CONNECT_SECONDS, STALL_SECONDS)

Answer = TypeVar("Answer")


def version(url: str, key: str, tries: int = TRIES) -> Version:
    """ETag, Last-Modified and Content-Length, as far as the server tells them.

    Raises:
        UnreachableError: if the server cannot be asked in `tries` tries.
        UserError: if it says that there is no such file.
    """

    def ask(session: requests.Session) -> Version:
        response = session.head(url, allow_redirects=True, timeout=_TIMEOUT)
        if response.status_code in (403, 405, 501):  # from servers that know no HEAD
            response = session.get(url, stream=True, timeout=_TIMEOUT)
        with response:
            _raise_for_status(response, url, key)
            names = ("ETag", "Last-Modified", "Content-Length")
            return {name: response.headers[name] for name in names if name in response.headers}

    return _retried(ask, url, key, tries, lambda: 0)


def download(url: str, key: str, part: Path, now: Version, size: int | None, title: str) -> None:
    """Bring `url` into the file `part`, going on from what is there already.

    Args:
        url: what to download.
        key: the key in params.yaml that an error names.
        part: the file; what it holds must be the beginning of the version `now`.
        now: what `version` said.
        size: expected number of bytes; None if nothing is expected.
        title: what the progress bar calls it.
    """
    length = str(now.get("Content-Length", ""))
    total = int(length) // _KILO if length.isdecimal() else None
    with Progress(f"download {title}", total, "kB", start=_length(part) // _KILO) as progress:

        def receive(session: requests.Session) -> None:
            _receive(session, url, key, part, now, size, progress)

        _retried(receive, url, key, TRIES, lambda: _length(part))


def _receive(
    session: requests.Session,
    url: str,
    key: str,
    part: Path,
    now: Version,
    size: int | None,
    progress: Progress,
) -> None:
    """One try: ask for what is missing, and write it until the end or an interruption."""
    done, validator = _length(part), _validator(now)
    headers = {}
    if done and validator:
        headers = {"Range": f"bytes={done}-", "If-Range": validator}
    with session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == 416:  # it is no longer as long as what is here
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("the rest of it cannot be had")
        _raise_for_status(response, url, key)
        if response.status_code == 206 and _is_other(response, validator):
            part.unlink(missing_ok=True)
            raise requests.ConnectionError("it has changed meanwhile")
        start, total = _extent(response, done)
        if total is not None:
            if size is not None and total != size:
                raise UserError(
                    f"{key.rpartition('.')[0]}.size: {shown(url)} has {total} bytes, expected "
                    f"{size}; is it the right file? Correct or remove the key"
                )
            check_room(total, url, key, part.parent, done)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            try:
                for block in response.raw.stream(_CHUNK, decode_content=False):
                    before = file.tell()
                    file.write(block)
                    progress.advance(file.tell() // _KILO - before // _KILO)
                    if file.tell() > (size or MAX_BYTES):
                        raise UserError(
                            f"{key}: {shown(url)} sends more than {size or MAX_BYTES} bytes"
                        )
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(type(error).__name__) from None
    if total is not None and _length(part) != total:
        raise requests.ConnectionError(f"{_length(part)} of {total} bytes came")


def _extent(response: requests.Response, done: int) -> tuple[int, int | None]:
    """Where the answer begins, and how long the whole file is (None if unknown)."""
    if response.status_code == 206:
        sent = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", sent)
        if match is None or int(match[1]) != done:
            raise requests.ConnectionError("another part came than the one asked for")
        return done, None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _retried(
    attempt: Callable[[requests.Session], Answer],
    url: str,
    key: str,
    tries: int,
    done: Callable[[], int],
) -> Answer:
    """Call `attempt` until it succeeds, giving up after `tries` in a row without progress."""
    failed, best = 0, done()
    with requests.Session() as session:
        # The stored bytes are the file's own: sizes, hashes and ranges refer to them.
        session.headers["Accept-Encoding"] = "identity"
        while True:
            try:
                return attempt(session)
            except (requests.ConnectionError, requests.Timeout) as error:
                reason = _reason(error)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise UserError(
                    f"{key}: {shown(url)} cannot be asked ({type(error).__name__}); check the "
                    "address"
                ) from None
            failed = 1 if done() > best else failed + 1
            best = max(best, done())
            if failed >= tries:
                raise UnreachableError(f"{key}: {shown(url)} cannot be reached ({reason})")
            time.sleep(PAUSE_SECONDS * 2 ** (failed - 1))


def _reason(error: Exception) -> str:
    """An error in a few words; those of others hold the URL, and so perhaps a password."""
    text = str(error)
    return text if len(text) < 60 and "/" not in text else type(error).__name__


def _raise_for_status(response: requests.Response, url: str, key: str) -> None:
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise requests.ConnectionError(f"status {status} {response.reason}")
    if status >= 400:
        hints = {401: "it wants a password", 403: "it is forbidden", 404: "there is no such file"}
        hint = hints.get(status, "check the address")
        raise UserError(f"{key}: {shown(url)} answers {status} {response.reason}; {hint}")


def _validator(now: Version) -> str | None:
    """What an If-Range may carry: a strong ETag or a date (RFC 9110, section 13.1.5)."""
    etag = str(now.get("ETag", ""))
    if etag and not etag.startswith("W/"):
        return etag
    date = now.get("Last-Modified")
    return str(date) if date else None


def _is_other(response: requests.Response, validator: str | None) -> bool:
    """Whether a part is of another version than asked for: some servers pass over If-Range."""
    name = "ETag" if (validator or "").startswith('"') else "Last-Modified"
    return response.headers.get(name, validator) != validator


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
