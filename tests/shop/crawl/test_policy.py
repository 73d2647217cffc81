"""Manners and safety, piece by piece."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import datetime, timezone

import pytest

from latent_atlas.shop.crawl.policy import (
    ClosedError,
    Reach,
    RefusedError,
    Robots,
    RobotsBook,
    Turnstile,
    check_address,
    check_reach,
    http_date,
    reach_of_address,
    reach_of_name,
    retry_after,
)

AGENT = "latent-atlas/0.1 (+mailto:me@example.org)"


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "private"),
        ("172.16.0.1", "private"),
        ("100.64.0.1", "private"),
        ("0.0.0.0", "private"),  # noqa: S104
        ("224.0.0.1", "private"),
        ("fe80::1%eth0", "private"),
        ("fd00::1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("93.184.216.34", "public"),
        ("2606:4700::1", "public"),
    ],
)
def test_reach_of_addresses(address: str, reach: Reach) -> None:
    assert reach_of_address(address) == reach


def test_reach_of_names() -> None:
    assert reach_of_name("localhost") == reach_of_name("a.b.LOCALHOST.") == "loopback"
    assert reach_of_name("[::1]") == "loopback"
    assert reach_of_name("localhost.example.org") is None


@pytest.mark.parametrize("reach", ["loopback", "private"])
def test_a_public_shop_reaches_nothing_nearer(reach: Reach) -> None:
    with pytest.raises(RefusedError, match=f"a {reach} address"):
        check_reach(reach, "public")


def test_what_each_shop_may_reach() -> None:
    check_reach("public", "public")
    check_reach("public", "private")
    check_reach("private", "private")
    check_reach("loopback", "loopback")
    for reach, allowed in (
        ("loopback", "private"),
        ("public", "loopback"),
        ("private", "loopback"),
    ):
        with pytest.raises(RefusedError):
            check_reach(reach, allowed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://shop.example/x", "data:,x", "http:///x", "gopher://x/"]
)
def test_only_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(RefusedError, match="only http and https"):
        check_address(url, "public")


def test_a_loopback_shop_stays_on_this_machine() -> None:
    check_address("http://laden.localhost/x", "loopback")
    with pytest.raises(RefusedError, match="outside this machine"):
        check_address("http://shop.example/x", "loopback")
    with pytest.raises(RefusedError):
        check_address("http://127.0.0.1/x", "public")


@pytest.mark.parametrize(("status", "open_"), [(404, True), (403, True), (410, True), (500, False)])
@pytest.mark.parametrize("url", ["http://a.example/", "http://a.example/x?y=1"])
def test_robots_without_a_file(status: int, open_: bool, url: str) -> None:
    robots = Robots.from_answer(status, b"")
    if open_:
        robots.check(url, AGENT)
    else:
        with pytest.raises(RefusedError, match=r"robots\.txt answers 500"):
            robots.check(url, AGENT)


def test_too_many_requests_for_robots_txt_closes() -> None:
    with pytest.raises(RefusedError, match="429"):
        Robots.from_answer(429, b"").check("http://a.example/", AGENT)


def test_rules_for_the_project_come_before_those_for_all() -> None:
    body = (
        b"User-agent: *\nDisallow: /\n\nUser-agent: latent-atlas\nDisallow: /x/\nCrawl-delay: 7\n"
    )
    robots = Robots.from_answer(200, body)
    robots.check("http://a.example/y", AGENT)
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x/1", AGENT)
    with pytest.raises(RefusedError):
        robots.check("http://a.example/y", "another")
    assert robots.delay(AGENT) == 7.0


def test_a_byte_order_mark_opens_nothing() -> None:
    robots = Robots.from_answer(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n")
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x", AGENT)


def test_the_contact_is_no_name_of_a_crawler() -> None:
    body = b"User-agent: *\nDisallow: /\nCrawl-delay: 9\n\nUser-agent: example\nDisallow:\n"
    robots = Robots.from_answer(200, body)
    assert robots.delay(AGENT) == 9.0
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x", AGENT)


def test_request_rate_is_a_delay() -> None:
    robots = Robots.from_answer(200, b"User-agent: *\nRequest-rate: 1/5\nCrawl-delay: 2\n")
    assert robots.delay(AGENT) == 5.0


def test_robots_txt_is_asked_for_once_by_many() -> None:
    asked: list[str] = []

    async def fetch(url: str) -> tuple[int, bytes]:
        asked.append(url)
        await asyncio.sleep(0.02)
        return 200, b"User-agent: *\nDisallow: /x\n"

    async def many() -> list[Robots]:
        book = RobotsBook(fetch)
        return await asyncio.gather(*(book.of(f"http://a.example/{n}") for n in range(16)))

    found = asyncio.run(many())
    assert asked == ["http://a.example/robots.txt"]
    for robots in found:
        with pytest.raises(RefusedError):
            robots.check("http://a.example/x", AGENT)


def test_robots_txt_that_cannot_be_had_closes() -> None:
    async def fetch(url: str) -> tuple[int, bytes]:
        raise ConnectionError

    async def ask() -> Robots:
        return await RobotsBook(fetch).of("http://a.example/")

    found = asyncio.run(ask())
    assert found.silent
    with pytest.raises(ClosedError, match="cannot be had"):
        found.check("http://a.example/", AGENT)


def test_robots_txt_that_must_not_be_asked_for_closes_for_good() -> None:
    async def fetch(url: str) -> tuple[int, bytes]:
        raise RefusedError("a private address")

    async def ask() -> Robots:
        return await RobotsBook(fetch).of("http://a.example/")

    found = asyncio.run(ask())
    assert not found.silent
    with pytest.raises(RefusedError, match="private") as caught:
        found.check("http://a.example/", AGENT)
    assert not isinstance(caught.value, ClosedError)


def test_silent_hosts_are_asked_again_once_the_network_is_back() -> None:
    asked: list[str] = []

    async def fetch(url: str) -> tuple[int, bytes]:
        asked.append(url)
        if "b.example" in url and len(asked) < 3:
            raise ConnectionError
        return 404, b""

    async def ask() -> None:
        book = RobotsBook(fetch)
        for _ in range(2):
            await book.of("http://a.example/")
            await book.of("http://b.example/")
        assert len(asked) == 2
        book.forget_silent()
        await book.of("http://a.example/")
        assert not (await book.of("http://b.example/")).silent

    asyncio.run(ask())
    assert [url.split("/")[2] for url in asked] == ["a.example", "b.example", "b.example"]


def _visits(at_once: int, delay: float, count: int, work: float) -> tuple[list[float], int]:
    """Start times of `count` visitors who stay for `work` seconds, and how many were in at most."""
    starts: list[float] = []
    inside = most = 0

    async def visit(gate: Turnstile) -> None:
        nonlocal inside, most
        await gate.enter()
        inside += 1
        most = max(most, inside)
        starts.append(time.monotonic())
        await asyncio.sleep(work)
        inside -= 1
        gate.leave()

    async def all_of_them() -> None:
        gate = Turnstile(at_once, delay, lambda: False)
        await asyncio.gather(*(visit(gate) for _ in range(count)))

    asyncio.run(all_of_them())
    return starts, most


def test_one_at_a_time() -> None:
    starts, most = _visits(at_once=1, delay=0.0, count=6, work=0.01)
    assert most == 1
    assert starts[-1] - starts[0] >= 0.045


def test_so_many_at_a_time() -> None:
    assert _visits(at_once=3, delay=0.0, count=9, work=0.01)[1] == 3


def test_requests_keep_their_distance() -> None:
    starts, _ = _visits(at_once=4, delay=0.03, count=5, work=0.0)
    # A start is noted a little after it was allowed: the more so on a busy machine.
    assert all(b - a >= 0.02 for a, b in itertools.pairwise(starts))


def test_a_pause_holds_everybody_back() -> None:
    async def wait() -> float:
        gate = Turnstile(2, 0.0, lambda: False)
        began = time.monotonic()
        gate.pause(0.1)
        await gate.enter()
        return time.monotonic() - began

    assert asyncio.run(wait()) >= 0.099


def test_nobody_waits_for_a_crawl_that_stops() -> None:
    stopping = False

    async def wait() -> None:
        nonlocal stopping
        gate = Turnstile(1, 0.0, lambda: stopping)
        gate.pause(3600)
        task = asyncio.ensure_future(gate.enter())
        await asyncio.sleep(0.01)
        stopping = True
        with pytest.raises(RefusedError, match="stopped"):
            await asyncio.wait_for(task, 2)
        # Its place is free again.
        stopping = False
        gate._next = 0.0
        await asyncio.wait_for(gate.enter(), 1)

    asyncio.run(wait())


def test_retry_after() -> None:
    assert retry_after("120", 0.0) == 120.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10.0) == 50.0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 100.0) == 0.0
    assert retry_after("soon", 0.0) is None
    assert retry_after("-3", 0.0) is None
    assert retry_after("Thu, 01 Jan 1970 00:01:00 +99999999999999999999", 0.0) is None


@pytest.mark.parametrize(
    "header", ["Thu, 01 Jan 2026 10:00:00 GMT", "Thu, 01 Jan 2026 12:00:00 +0200",
               "Thu, 01 Jan 2026 10:00:00 -0000"]
)  # fmt: skip
def test_dates_are_in_utc_wherever_the_server_stands(header: str) -> None:
    assert http_date(header) == datetime(2026, 1, 1, 10, tzinfo=timezone.utc)
    assert str(http_date(header)) == "2026-01-01 10:00:00+00:00"


def test_what_is_no_date() -> None:
    assert http_date("") is http_date("Thu, 99 Jan 99999999999 00:00:00 GMT") is None
