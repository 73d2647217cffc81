"""Politeness and safety rules of the crawler."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import datetime, timezone

import pytest

from latent_atlas.shop.crawl.policy import (
    ClosedError,
    Network,
    RateLimiter,
    RefusedError,
    Robots,
    RobotsCache,
    check_address,
    check_network,
    http_date,
    network_of_address,
    network_of_name,
    retry_after,
)

AGENT = "latent-atlas/0.1 (+mailto:me@example.org)"


@pytest.mark.parametrize(
    ("address", "network"),
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
def test_network_of_addresses(address: str, network: Network) -> None:
    assert network_of_address(address) == network


def test_network_of_names() -> None:
    assert network_of_name("localhost") == network_of_name("a.b.LOCALHOST.") == "loopback"
    assert network_of_name("[::1]") == "loopback"
    assert network_of_name("localhost.example.org") is None


@pytest.mark.parametrize("network", ["loopback", "private"])
def test_a_public_shop_leads_to_no_other_network(network: Network) -> None:
    with pytest.raises(RefusedError, match=f"a {network} address"):
        check_network(network, "public")


def test_networks_that_each_shop_may_lead_to() -> None:
    check_network("public", "public")
    check_network("public", "private")
    check_network("private", "private")
    check_network("loopback", "loopback")
    for network, shop in (
        ("loopback", "private"),
        ("public", "loopback"),
        ("private", "loopback"),
    ):
        with pytest.raises(RefusedError):
            check_network(network, shop)  # type: ignore[arg-type]


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
def test_robots_txt_without_a_file(status: int, open_: bool, url: str) -> None:
    robots = Robots.from_response(status, b"")
    if open_:
        robots.check(url, AGENT)
    else:
        with pytest.raises(RefusedError, match=r"robots\.txt answers 500"):
            robots.check(url, AGENT)


def test_a_429_response_to_robots_txt_closes_the_host() -> None:
    with pytest.raises(RefusedError, match="429"):
        Robots.from_response(429, b"").check("http://a.example/", AGENT)


def test_rules_for_the_project_precede_rules_for_all() -> None:
    body = (
        b"User-agent: *\nDisallow: /\n\nUser-agent: latent-atlas\nDisallow: /x/\nCrawl-delay: 7\n"
    )
    robots = Robots.from_response(200, body)
    robots.check("http://a.example/y", AGENT)
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x/1", AGENT)
    with pytest.raises(RefusedError):
        robots.check("http://a.example/y", "another")
    assert robots.delay(AGENT) == 7.0


def test_rules_after_a_byte_order_mark_apply() -> None:
    robots = Robots.from_response(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n")
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x", AGENT)


def test_rules_match_the_product_token_and_not_the_contact() -> None:
    body = b"User-agent: *\nDisallow: /\nCrawl-delay: 9\n\nUser-agent: example\nDisallow:\n"
    robots = Robots.from_response(200, body)
    assert robots.delay(AGENT) == 9.0
    with pytest.raises(RefusedError, match=r"disallowed by robots\.txt"):
        robots.check("http://a.example/x", AGENT)


def test_request_rate_becomes_a_delay() -> None:
    robots = Robots.from_response(200, b"User-agent: *\nRequest-rate: 1/5\nCrawl-delay: 2\n")
    assert robots.delay(AGENT) == 5.0


def test_simultaneous_requests_share_one_fetch_of_robots_txt() -> None:
    requested: list[str] = []

    async def fetch(url: str) -> tuple[int, bytes]:
        requested.append(url)
        await asyncio.sleep(0.02)
        return 200, b"User-agent: *\nDisallow: /x\n"

    async def many() -> list[Robots]:
        cache = RobotsCache(fetch)
        return await asyncio.gather(*(cache.rules_for(f"http://a.example/{n}") for n in range(16)))

    results = asyncio.run(many())
    assert requested == ["http://a.example/robots.txt"]
    for robots in results:
        with pytest.raises(RefusedError):
            robots.check("http://a.example/x", AGENT)


def test_a_failed_fetch_of_robots_txt_closes_the_host() -> None:
    async def fetch(url: str) -> tuple[int, bytes]:
        raise ConnectionError

    async def fetch_rules() -> Robots:
        return await RobotsCache(fetch).rules_for("http://a.example/")

    robots = asyncio.run(fetch_rules())
    assert robots.silent
    with pytest.raises(ClosedError, match="cannot be fetched"):
        robots.check("http://a.example/", AGENT)


def test_a_refused_fetch_of_robots_txt_closes_the_host_for_good() -> None:
    async def fetch(url: str) -> tuple[int, bytes]:
        raise RefusedError("a private address")

    async def fetch_rules() -> Robots:
        return await RobotsCache(fetch).rules_for("http://a.example/")

    robots = asyncio.run(fetch_rules())
    assert not robots.silent
    with pytest.raises(RefusedError, match="private") as caught:
        robots.check("http://a.example/", AGENT)
    assert not isinstance(caught.value, ClosedError)


def test_robots_txt_of_silent_hosts_is_fetched_again() -> None:
    requested: list[str] = []

    async def fetch(url: str) -> tuple[int, bytes]:
        requested.append(url)
        if "b.example" in url and len(requested) < 3:
            raise ConnectionError
        return 404, b""

    async def fetch_rules() -> None:
        cache = RobotsCache(fetch)
        for _ in range(2):
            await cache.rules_for("http://a.example/")
            await cache.rules_for("http://b.example/")
        assert len(requested) == 2
        cache.forget_silent()
        await cache.rules_for("http://a.example/")
        assert not (await cache.rules_for("http://b.example/")).silent

    asyncio.run(fetch_rules())
    assert [url.split("/")[2] for url in requested] == ["a.example", "b.example", "b.example"]


def _requests(at_once: int, delay: float, count: int, work: float) -> tuple[list[float], int]:
    """Start times of `count` requests of `work` seconds, and the most simultaneous ones."""
    starts: list[float] = []
    running = most = 0

    async def request(limiter: RateLimiter) -> None:
        nonlocal running, most
        await limiter.acquire()
        running += 1
        most = max(most, running)
        starts.append(time.monotonic())
        await asyncio.sleep(work)
        running -= 1
        limiter.release()

    async def run_all() -> None:
        limiter = RateLimiter(at_once, delay, lambda: False)
        await asyncio.gather(*(request(limiter) for _ in range(count)))

    asyncio.run(run_all())
    return starts, most


def test_requests_run_one_at_a_time() -> None:
    starts, most = _requests(at_once=1, delay=0.0, count=6, work=0.01)
    assert most == 1
    assert starts[-1] - starts[0] >= 0.045


def test_simultaneous_requests_are_limited() -> None:
    assert _requests(at_once=3, delay=0.0, count=9, work=0.01)[1] == 3


def test_requests_start_with_the_delay_between_them() -> None:
    starts, _ = _requests(at_once=4, delay=0.03, count=5, work=0.0)
    # A start is recorded a little after it was allowed, later on a busy machine.
    assert all(b - a >= 0.02 for a, b in itertools.pairwise(starts))


def test_a_pause_delays_all_requests() -> None:
    async def wait() -> float:
        limiter = RateLimiter(2, 0.0, lambda: False)
        began = time.monotonic()
        limiter.pause(0.1)
        await limiter.acquire()
        return time.monotonic() - began

    assert asyncio.run(wait()) >= 0.099


def test_waiting_requests_end_with_the_crawl() -> None:
    stopping = False

    async def wait() -> None:
        nonlocal stopping
        limiter = RateLimiter(1, 0.0, lambda: stopping)
        limiter.pause(3600)
        task = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0.01)
        stopping = True
        with pytest.raises(RefusedError, match="stopped"):
            await asyncio.wait_for(task, 2)
        # The slot is free again.
        stopping = False
        limiter._next = 0.0
        await asyncio.wait_for(limiter.acquire(), 1)

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
def test_dates_are_converted_to_utc(header: str) -> None:
    assert http_date(header) == datetime(2026, 1, 1, 10, tzinfo=timezone.utc)
    assert str(http_date(header)) == "2026-01-01 10:00:00+00:00"


def test_invalid_dates_give_none() -> None:
    assert http_date("") is http_date("Thu, 99 Jan 99999999999 00:00:00 GMT") is None
