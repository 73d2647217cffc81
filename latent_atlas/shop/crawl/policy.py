"""Manners and safety of the crawler: robots.txt, whose turn it is, and which addresses are allowed.

Knows no crawler: the pieces are plain objects that the spider's guard asks before each request.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal
from urllib.parse import urlsplit

from protego import Protego

Reach = Literal["loopback", "private", "public"]

ROBOTS_BYTES = 500 * 1024  # RFC 9309 section 2.5: at least this much is parsed
_WIDTH: dict[Reach, int] = {"loopback": 0, "private": 1, "public": 2}


class RefusedError(Exception):
    """A request that must not be made; the text is the reason."""


class ClosedError(RefusedError):
    """A host whose robots.txt cannot be read now; it may be open again later."""


@dataclass(frozen=True)
class Robots:
    """What a robots.txt allows.

    Attributes:
        rules: the parsed file, or None where there is none and all is allowed.
        reason: why everything is closed, or ``""``.
        lasting: closed for good.
        silent: closed since there was no answer at all.
    """

    rules: Protego | None = None
    reason: str = ""
    lasting: bool = False
    silent: bool = False

    @classmethod
    def from_answer(cls, status: int, body: bytes) -> Robots:
        """RFC 9309 section 2.3.1: without a file all is allowed; an unreachable one closes all."""
        if 200 <= status < 300:
            return cls(Protego.parse(body[:ROBOTS_BYTES].decode("utf-8-sig", "replace")))
        if 400 <= status < 500 and status != 429:
            return cls()
        return cls(reason=f"robots.txt answers {status}")

    def check(self, url: str, agent: str) -> None:
        """Raise RefusedError unless `agent` may fetch `url`; ClosedError if nobody may now."""
        if self.reason:
            raise (RefusedError if self.lasting else ClosedError)(self.reason)
        if self.rules is not None and not self.rules.can_fetch(url, _token(agent)):
            raise RefusedError("disallowed by robots.txt")

    def delay(self, agent: str) -> float:
        """Seconds between two requests that the file asks for; 0 if it does not."""
        if self.rules is None:
            return 0.0
        delay = float(self.rules.crawl_delay(_token(agent)) or 0.0)
        rate = self.rules.request_rate(_token(agent))
        return max(delay, rate.seconds / rate.requests if rate and rate.requests else 0.0)


def _token(agent: str) -> str:
    """The product token of a user agent; robots.txt speaks of no contact that stands behind it."""
    return agent.partition("/")[0]


class Turnstile:
    """Lets requests to one host through: so many at a time, so many seconds apart.

    Args:
        at_once: requests under way at a time.
        delay: seconds from the start of one request to the start of the next.
        stopping: tells that the crawl ends, so that nobody waits for a long delay.
    """

    def __init__(self, at_once: int, delay: float, stopping: Callable[[], bool]) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._order = asyncio.Lock()
        self._stopping = stopping
        self._next = 0.0
        self.delay = delay

    async def enter(self) -> None:
        """Wait for a turn; every `enter` that returns needs one `leave`.

        Raises:
            asyncio.CancelledError: if the crawl stops meanwhile.
        """
        await self._free.acquire()
        try:
            async with self._order:
                while (wait := self._next - time.monotonic()) > 0 and not self._stopping():
                    await asyncio.sleep(min(wait, 0.5))
                if self._stopping():
                    raise RefusedError("stopped")
                self._next = time.monotonic() + self.delay
        except BaseException:
            self._free.release()
            raise

    def leave(self) -> None:
        """The request is answered or has failed."""
        self._free.release()

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long, as the server asked."""
        self._next = max(self._next, time.monotonic() + seconds)


class RobotsBook:
    """The robots.txt of every origin, each fetched once and before anything else of it.

    All requests that arrive while the file is under way wait for the same fetch.

    Args:
        fetch: URL → (status, body); may raise, which closes the origin: RefusedError for good.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[tuple[int, bytes]]]) -> None:
        self._fetch = fetch
        self._files: dict[str, asyncio.Task[Robots]] = {}

    async def of(self, url: str) -> Robots:
        """The rules for the origin of `url`."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        task = self._files.get(origin)
        if task is None:
            task = asyncio.ensure_future(self._read(f"{origin}/robots.txt"))
            self._files[origin] = task
        return await asyncio.shield(task)

    def forget_silent(self) -> None:
        """Ask again for the files that did not come: the network is back."""
        self._files = {
            origin: task
            for origin, task in self._files.items()
            if not (task.done() and task.result().silent)
        }

    async def _read(self, url: str) -> Robots:
        try:
            status, body = await self._fetch(url)
        except RefusedError as error:
            return Robots(reason=str(error), lasting=True)
        except Exception as error:  # whatever went wrong, closed is the safe answer
            reason = f"robots.txt cannot be had ({type(error).__name__})"
            return Robots(reason=reason, silent=True)
        return Robots.from_answer(status, body)


def retry_after(header: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for; None if it cannot be read.

    Args:
        header: seconds, or an HTTP date.
        now: the time in seconds since 1970.
    """
    if header.strip().isdecimal():
        return float(header)
    date = http_date(header)
    return None if date is None else max(0.0, date.timestamp() - now)


def http_date(header: str) -> datetime | None:
    """The moment, in UTC, that an HTTP date names (RFC 9110 section 5.6.7); None if none."""
    try:
        date = email.utils.parsedate_to_datetime(header)
        return date.astimezone(timezone.utc) if date.tzinfo else date.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):
        return None


def reach_of_address(address: str) -> Reach:
    """How far an IP address reaches.

    Raises:
        ValueError: if it is none.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return "loopback"
    return "public" if ip.is_global and not ip.is_multicast else "private"


def reach_of_name(host: str) -> Reach | None:
    """The reach that a host's name alone tells; None where it must be looked up."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return "loopback"
    try:
        return reach_of_address(host.strip("[]"))
    except ValueError:
        return None


def check_address(url: str, allowed: Reach) -> None:
    """Refuse a URL that is no http(s), or whose host's name or number is nearer than `allowed`.

    A public shop must not send the crawler into the private network, and the drawn one not out of
    this machine. Names that must be looked up are checked again when they are resolved.

    Raises:
        RefusedError: with the reason.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(f"{parts.scheme or 'no'} URL, only http and https are fetched")
    reach = reach_of_name(parts.hostname)
    if reach is not None:
        check_reach(reach, allowed)
    elif allowed == "loopback":
        raise RefusedError("a host outside this machine, asked for by a loopback shop")


def check_reach(reach: Reach, allowed: Reach) -> None:
    """Raise RefusedError unless a shop of reach `allowed` may use an address of `reach`."""
    if (allowed == "loopback") != (reach == "loopback") or _WIDTH[reach] < _WIDTH[allowed]:
        raise RefusedError(f"a {reach} address, asked for by a {allowed} shop")
