"""Politeness and safety rules of the crawler: robots.txt, request rate and allowed networks.

The module does not depend on Scrapy. `guard.Guard` applies these rules before each request.
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

Network = Literal["loopback", "private", "public"]
"""Network that an address belongs to."""

ROBOTS_BYTES = 500 * 1024  # RFC 9309 section 2.5: at least this much must be parsed
STOPPED = "stopped"
"""Reason of a `RefusedError` that ends the run; the request stays queued."""

_WIDTH: dict[Network, int] = {"loopback": 0, "private": 1, "public": 2}


class RefusedError(Exception):
    """A request that must not be sent; the text is the reason."""


class ClosedError(RefusedError):
    """A host whose robots.txt cannot be read at present. It may be open again later."""


@dataclass(frozen=True)
class Robots:
    """The rules of one robots.txt.

    Attributes:
        rules: the parsed file, or None where there is no file and everything is allowed.
        reason: why the whole host is closed, or ``""``.
        lasting: the host stays closed.
        silent: the host is closed because it did not answer at all.
    """

    rules: Protego | None = None
    reason: str = ""
    lasting: bool = False
    silent: bool = False

    @classmethod
    def from_response(cls, status: int, body: bytes) -> Robots:
        """Parse a response to the request for robots.txt.

        Without a file everything is allowed; an unreachable file closes the host (RFC 9309 section
        2.3.1).
        """
        if 200 <= status < 300:
            return cls(Protego.parse(body[:ROBOTS_BYTES].decode("utf-8-sig", "replace")))
        if 400 <= status < 500 and status != 429:
            return cls()
        return cls(reason=f"robots.txt answers {status}")

    def check(self, url: str, agent: str) -> None:
        """Check that `agent` may fetch `url`.

        Raises:
            ClosedError: if the host is closed at present.
            RefusedError: if it is closed for good, or the file forbids the URL.
        """
        if self.reason:
            raise (RefusedError if self.lasting else ClosedError)(self.reason)
        if self.rules is not None and not self.rules.can_fetch(url, _token(agent)):
            raise RefusedError("disallowed by robots.txt")

    def delay(self, agent: str) -> float:
        """Seconds between two requests that the file asks for; 0 without such a rule."""
        if self.rules is None:
            return 0.0
        delay = float(self.rules.crawl_delay(_token(agent)) or 0.0)
        rate = self.rules.request_rate(_token(agent))
        return max(delay, rate.seconds / rate.requests if rate and rate.requests else 0.0)


def _token(agent: str) -> str:
    """The product token of a user agent, without version and contact; robots.txt names only it."""
    return agent.partition("/")[0]


class RateLimiter:
    """Limit on the requests to one host: how many at a time, and how many seconds apart.

    Args:
        at_once: the largest number of simultaneous requests.
        delay: seconds from the start of one request to the start of the next.
        stopping: whether the crawl ends, so that no request waits for a long delay.
    """

    def __init__(self, at_once: int, delay: float, stopping: Callable[[], bool]) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._order = asyncio.Lock()
        self._stopping = stopping
        self._next = 0.0
        self.delay = delay

    async def acquire(self) -> None:
        """Wait until a request may be sent. Each `acquire` that returns needs one `release`.

        Raises:
            RefusedError: with the text `STOPPED`, if the crawl ends meanwhile.
        """
        await self._free.acquire()
        try:
            async with self._order:
                while (wait := self._next - time.monotonic()) > 0 and not self._stopping():
                    await asyncio.sleep(min(wait, 0.5))
                if self._stopping():
                    raise RefusedError(STOPPED)
                self._next = time.monotonic() + self.delay
        except BaseException:
            self._free.release()
            raise

    def release(self) -> None:
        """Record that a request has been answered or has failed."""
        self._free.release()

    def pause(self, seconds: float) -> None:
        """Send no request for `seconds`, as the server asked."""
        self._next = max(self._next, time.monotonic() + seconds)


class RobotsCache:
    """The robots.txt of every origin, fetched once and before any other URL of the origin.

    All requests that arrive during the fetch wait for it.

    Args:
        fetch: URL → (status, body). An exception closes the origin, a RefusedError for good.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[tuple[int, bytes]]]) -> None:
        self._fetch = fetch
        self._files: dict[str, asyncio.Task[Robots]] = {}

    async def rules_for(self, url: str) -> Robots:
        """The rules for the origin of `url`."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        task = self._files.get(origin)
        if task is None:
            task = asyncio.ensure_future(self._read(f"{origin}/robots.txt"))
            self._files[origin] = task
        return await asyncio.shield(task)

    def forget_silent(self) -> None:
        """Drop the results of origins that did not answer, because the network is back."""
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
        except Exception as error:  # after any other failure, closed is the safe result
            reason = f"robots.txt cannot be fetched ({type(error).__name__})"
            return Robots(reason=reason, silent=True)
        return Robots.from_response(status, body)


def retry_after(header: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for; None if it cannot be parsed.

    Args:
        header: seconds, or an HTTP date.
        now: the current time in seconds since 1970.
    """
    if header.strip().isdecimal():
        return float(header)
    date = http_date(header)
    return None if date is None else max(0.0, date.timestamp() - now)


def http_date(header: str) -> datetime | None:
    """The time, in UTC, of an HTTP date (RFC 9110 section 5.6.7); None if it cannot be parsed."""
    try:
        date = email.utils.parsedate_to_datetime(header)
        return date.astimezone(timezone.utc) if date.tzinfo else date.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, OverflowError):
        return None


def network_of_address(address: str) -> Network:
    """The network of an IP address.

    Raises:
        ValueError: if `address` is not an IP address.
    """
    ip = ipaddress.ip_address(address.split("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return "loopback"
    return "public" if ip.is_global and not ip.is_multicast else "private"


def network_of_name(host: str) -> Network | None:
    """The network of a host as far as its name shows it; None where a lookup is necessary."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return "loopback"
    try:
        return network_of_address(host.strip("[]"))
    except ValueError:
        return None


def check_address(url: str, shop: Network) -> None:
    """Check that a crawl of a shop in the network `shop` may fetch `url`.

    A public shop must not send the crawler into the private network, and the drawn shop must not
    send it to another machine. Names that need a lookup are checked again when they are resolved.

    Raises:
        RefusedError: for another scheme than http(s), or a host in a network that is not allowed.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedError(f"{parts.scheme or 'no'} URL, only http and https are fetched")
    network = network_of_name(parts.hostname)
    if network is not None:
        check_network(network, shop)
    elif shop == "loopback":
        raise RefusedError("a host outside this machine, asked for by a loopback shop")


def check_network(network: Network, shop: Network) -> None:
    """Raise RefusedError unless a shop in the network `shop` may lead to `network`."""
    if (shop == "loopback") != (network == "loopback") or _WIDTH[network] < _WIDTH[shop]:
        raise RefusedError(f"a {network} address, asked for by a {shop} shop")
