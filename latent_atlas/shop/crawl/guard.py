"""Scrapy middleware that decides whether and when a request is sent.

It is next to the network, so that redirects, retries, images and robots.txt itself all pass it.
Scrapy's own robots.txt middleware stays off: when several first requests reach a host at once, it
lets some of them through before the file has been read.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from latent_atlas.shop.crawl.policy import (
    STOPPED,
    ClosedError,
    RateLimiter,
    RefusedError,
    RobotsCache,
    check_address,
    retry_after,
)
from latent_atlas.shop.crawl.resolver import CheckingResolver
from latent_atlas.shop.crawl.responses import PASSING
from latent_atlas.shop.crawl.shop_file import ascii_host
from latent_atlas.shop.crawl.spider import ShopSpider, StoppedError, engine_of


class Guard:
    """Checks of address, robots.txt, limits and rate, applied to every request."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._robots = RobotsCache(self._fetch_robots)
        self._limiters: dict[str, RateLimiter] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Guard:
        """Create the middleware; called by Scrapy."""
        return cls(crawler)

    @property
    def _spider(self) -> ShopSpider:
        spider = self._crawler.spider
        if not isinstance(spider, ShopSpider):
            raise TypeError(f"the guard needs a ShopSpider; found {spider!r}")
        return spider

    async def process_request(self, request: Request) -> None:
        """Wait until `request` may be sent.

        Raises:
            IgnoreRequest: if it must not be sent; StoppedError if the run ends.
            ClosedError: if the host is closed at present.
        """
        config = self._spider.config
        robots = None
        try:
            check_address(request.url, config.network)
            self._spider.check_host(request)
            if not request.meta.get("robots"):
                robots = await self._robots.rules_for(request.url)
                robots.check(request.url, config.agent)
            limiter = self._limiter(request)
            if robots is not None:
                limiter.delay = max(config.shop.delay, robots.delay(config.agent))
            self._spider.check_limits()
            await limiter.acquire()
        except ClosedError as error:
            silent = robots is not None and robots.silent
            self._handle_closed(request, error, silent, await self._open_elsewhere(request.url))
        except RefusedError as error:
            if str(error) == STOPPED:
                raise StoppedError(str(error)) from None
            raise IgnoreRequest(str(error)) from None
        request.meta["counted"] = True
        if config.scrape.proxy:
            request.meta["proxy"] = config.scrape.proxy

    async def _open_elsewhere(self, url: str) -> bool:
        """Whether the host of `url` is open at the scheme or port of a start URL of the shop."""
        parts = urlsplit(url)
        shop = self._spider.config.shop
        for start in map(urlsplit, (*shop.start, *shop.sitemaps)):
            same = (start.scheme, start.netloc) == (parts.scheme, parts.netloc)
            if ascii_host(start.hostname or "") == parts.hostname and not same:
                return not (await self._robots.rules_for(start.geturl())).reason
        return False

    def _handle_closed(
        self, request: Request, error: ClosedError, silent: bool, open_elsewhere: bool
    ) -> None:
        """End the run if the shop itself is closed; URLs of other hosts are tried again later."""
        if self._spider.stopping:
            raise StoppedError(str(error)) from None
        host = (urlsplit(request.url).hostname or "").lower()
        if host in self._spider.config.shop.page_hosts() and not open_elsewhere:
            self._spider.stop(f"{host}: {error}", halted=True)
            raise StoppedError(str(error)) from None
        if silent:
            self._spider.count_silence()
        raise error

    def process_response(self, request: Request, response: Response) -> Response:
        """Count the response, and pause the host if it reports too much load."""
        self._release(request)
        self._spider.received(len(response.body))
        if request.meta.get("probe"):
            self._robots.forget_silent()
        if response.status in PASSING:
            self._pause(request, response)
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Release the host after a failed request. Scrapy decides whether it is repeated.

        Raises:
            IgnoreRequest: if the resolver refused the address.
        """
        if not request.meta.get("counted", False):
            return  # refused by the guard itself, with a reason
        self._release(request)
        reason = CheckingResolver.refused.get(urlsplit(request.url).hostname or "")
        if reason is not None:
            raise IgnoreRequest(reason)

    def _release(self, request: Request) -> None:
        if request.meta.pop("counted", False):
            self._limiter(request).release()

    def _limiter(self, request: Request) -> RateLimiter:
        name = urlsplit(request.url).netloc.lower()
        if name not in self._limiters:
            shop = self._spider.config.shop
            self._limiters[name] = RateLimiter(
                shop.requests_per_host, shop.delay, self._spider.limit_reached
            )
        return self._limiters[name]

    def _pause(self, request: Request, response: Response) -> None:
        scrape = self._spider.config.scrape
        header = (response.headers.get("Retry-After") or b"").decode("latin1")
        seconds = retry_after(header, time.time()) if header else None
        if seconds is None:
            seconds = scrape.retry_seconds * 2 ** int(request.meta.get("retry_times", 0))
        if seconds > scrape.limits.wait_seconds:
            name = urlsplit(request.url).netloc
            self._spider.stop(f"{name} asks to come back in {seconds:.0f} s", halted=True)
        self._limiter(request).pause(seconds)

    async def _fetch_robots(self, url: str) -> tuple[int, bytes]:
        page_bytes = self._spider.config.scrape.limits.page_bytes
        meta = {"robots": True, "download_maxsize": page_bytes}
        request = Request(url, callback=NO_CALLBACK, priority=1000, dont_filter=True, meta=meta)
        try:
            response = await engine_of(self._crawler).download_async(request)
        except IgnoreRequest as error:
            raise RefusedError(str(error)) from None
        return response.status, response.body
