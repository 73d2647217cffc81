"""The crawl itself: a Scrapy spider whose frontier and memory are the ledger.

Scrapy downloads, retries, redirects and unpacks. Whether and when a request may go out is decided
by `Guard`, the middleware next to the network, so that redirects, retries, images and robots.txt
itself all pass it. Scrapy's own robots.txt middleware stays off: several first requests that
arrive at once slip past it.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, ClassVar
from urllib.parse import urldefrag, urljoin, urlsplit

from parsel import Selector
from scrapy import Request, Spider, signals
from scrapy.core.engine import ExecutionEngine
from scrapy.crawler import Crawler, CrawlerProcess
from scrapy.exceptions import DontCloseSpider, IgnoreRequest
from scrapy.http import Response, TextResponse
from scrapy.http.request import NO_CALLBACK
from scrapy.resolver import CachingThreadedResolver
from scrapy.spidermiddlewares.httperror import HttpError
from scrapy.utils.gz import gunzip, gzip_magic_number
from scrapy.utils.sitemap import Sitemap
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from latent_atlas.data.photo import PhotoError, open_photo
from latent_atlas.shop.crawl.ledger import Answer, Entry, Kind, Ledger, Photo
from latent_atlas.shop.crawl.policy import (
    ClosedError,
    Reach,
    RefusedError,
    RobotsBook,
    Turnstile,
    check_address,
    check_reach,
    http_date,
    reach_of_address,
    retry_after,
)
from latent_atlas.shop.crawl.shop_file import Shop, ascii_host
from latent_atlas.shop.crawl.structured import base_of, read_product
from latent_atlas.util.console import Progress

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
SILENCE = 20  # so many failures to connect in a row, and the shop is asked whether it is there
TOO_LARGE = "larger than the limit"
_PRIORITY: dict[Kind, int] = {"image": 30, "product": 20, "listing": 10, "sitemap": 0}


@dataclass(frozen=True)
class Limits:
    """What a crawl may take.

    Attributes:
        pages: pages fetched in one run, images aside.
        bytes: bytes received in one run.
        page_bytes, image_bytes: of one answer, unpacked.
        pixels: of one image.
        seconds: of one run.
        answer_seconds: from a request to the end of its answer.
        wait_seconds: the longest pause that a server can ask for before the run ends.
    """

    pages: int
    bytes: int
    page_bytes: int
    image_bytes: int
    pixels: int
    seconds: float
    answer_seconds: float
    wait_seconds: float


@dataclass(frozen=True)
class Errand:
    """All that a crawl needs to know.

    Attributes:
        shop: what to crawl.
        reach: how far the shop's own address reaches.
        agent: the user agent, with a contact.
        retries: how often a request is repeated at once, before the second pass.
        retry_seconds: pause of the host after a failing answer; doubles with each retry.
        proxy: URL of a proxy, or None; no other proxy is used.
    """

    shop: Shop
    reach: Reach
    agent: str
    limits: Limits
    retries: int
    retry_seconds: float
    proxy: str | None


@dataclass
class Tally:
    """What a run has done so far.

    Attributes:
        stopped: why it ended before everything was fetched, or ``""``.
        halted: it could not go on: the network is dead, or the server asks to come back later.
    """

    pages: int = 0
    products: int = 0
    images: int = 0
    failures: int = 0
    bytes: int = 0
    stopped: str = ""
    halted: bool = False


class StoppedError(IgnoreRequest):
    """The run ends; the request stays queued."""


def crawl(errand: Errand, ledger: Ledger) -> Tally:
    """Fetch all that is queued in the ledger, and what that leads to, within the limits.

    Blocks until the crawl ends; can be called once in a process, as a Twisted reactor starts once.
    """
    tally = Tally()
    process = CrawlerProcess(_settings(errand))
    with Progress(f"scrape {errand.shop.name}", None, "URLs") as progress:
        process.crawl(ShopSpider, errand=errand, ledger=ledger, tally=tally, progress=progress)
        process.start()
    if not tally.stopped and ledger.queued():
        tally.stopped = "interrupted"
    return tally


def _settings(errand: Errand) -> dict[str, Any]:
    limits = errand.limits
    return {
        "USER_AGENT": errand.agent,
        "ROBOTSTXT_OBEY": False,  # Guard reads robots.txt, see the head of this file
        "DOWNLOADER_MIDDLEWARES": {Guard: 950},
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
        "TWISTED_DNS_RESOLVER": CheckingResolver,
        "HTTPPROXY_ENABLED": False,
        "COOKIES_ENABLED": False,
        "CONCURRENT_ITEMS": 1,  # there are no items; else a hundred tasks an answer wait for them
        "DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter",
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
        "EXTENSIONS_BASE": {},
        "SPIDER_MIDDLEWARES": {
            "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
            "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
        },
        "METAREFRESH_ENABLED": False,
        # The guard lets requests to a host through one by one; these only must not be narrower.
        "CONCURRENT_REQUESTS": max(64, 2 * errand.shop.requests_per_host),
        "CONCURRENT_REQUESTS_PER_DOMAIN": errand.shop.requests_per_host,
        "DOWNLOAD_DELAY": 0,
        "DOWNLOAD_TIMEOUT": limits.answer_seconds,
        "DOWNLOAD_MAXSIZE": max(limits.page_bytes, limits.image_bytes),
        "DOWNLOAD_WARNSIZE": 0,
        "RETRY_TIMES": errand.retries,
        "RETRY_HTTP_CODES": sorted(PASSING),
        "REDIRECT_MAX_TIMES": 10,
        "LOG_LEVEL": "CRITICAL",
        "LOG_ENABLED": False,
    }


class CheckingResolver(CachingThreadedResolver):
    """Looks names up as Scrapy does, and refuses what they resolve to where `check_reach` does.

    Twisted takes a refusal for an unknown name: the reason is kept in `refused`, by name.
    """

    allowed: Reach = "public"
    refused: ClassVar[dict[str, str]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: Any) -> CheckingResolver:
        """Called by Scrapy, before there is a spider."""
        resolver: CheckingResolver = super().from_crawler(crawler, reactor)
        return resolver

    def getHostByName(self, name: str, timeout: Any = ()) -> Deferred[str]:  # noqa: N802
        """The address of `name`, IPv4."""
        found: Deferred[str] = super().getHostByName(name, timeout)
        if name in self.trusted:
            return found
        return found.addCallback(self._checked, name)

    trusted: frozenset[str] = frozenset()

    def _checked(self, address: str, name: str) -> str:
        try:
            check_reach(reach_of_address(address), type(self).allowed)
        except RefusedError as error:
            self.refused[name.lower()] = str(error)
            raise
        return address


class Guard:
    """The last stop before the network: address, robots.txt, limits, and the host's turn."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._robots = RobotsBook(self._fetch_robots)
        self._hosts: dict[str, Turnstile] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Guard:
        """Called by Scrapy."""
        return cls(crawler)

    @property
    def _spider(self) -> ShopSpider:
        spider = self._crawler.spider
        if not isinstance(spider, ShopSpider):
            raise TypeError(f"the guard watches over a ShopSpider, not over {spider!r}")
        return spider

    async def process_request(self, request: Request) -> None:
        """Let `request` through when it may go; raise IgnoreRequest if it may not."""
        errand = self._spider.errand
        robots = None
        try:
            check_address(request.url, errand.reach)
            self._spider.check_host(request)
            if not request.meta.get("robots"):
                robots = await self._robots.of(request.url)
                robots.check(request.url, errand.agent)
            host = self._host(request)
            if robots is not None:
                host.delay = max(errand.shop.delay, robots.delay(errand.agent))
            self._spider.check_limits()
            await host.enter()
        except ClosedError as error:
            silent = robots is not None and robots.silent
            self._closed(request, error, silent, await self._open_elsewhere(request.url))
        except RefusedError as error:
            if str(error) == "stopped":
                raise StoppedError(str(error)) from None
            raise IgnoreRequest(str(error)) from None
        request.meta["inside"] = True
        if errand.proxy:
            request.meta["proxy"] = errand.proxy

    async def _open_elsewhere(self, url: str) -> bool:
        """Whether the host of `url` is open where the shop begins: at another scheme or port."""
        parts = urlsplit(url)
        shop = self._spider.errand.shop
        for start in map(urlsplit, (*shop.start, *shop.sitemaps)):
            same = (start.scheme, start.netloc) == (parts.scheme, parts.netloc)
            if ascii_host(start.hostname or "") == parts.hostname and not same:
                return not (await self._robots.of(start.geturl())).reason
        return False

    def _closed(
        self, request: Request, error: ClosedError, silent: bool, open_elsewhere: bool
    ) -> None:
        """Without the shop itself the run ends; what lies elsewhere is tried again later."""
        if self._spider.stopping:
            raise StoppedError(str(error)) from None
        host = (urlsplit(request.url).hostname or "").lower()
        if host in self._spider.errand.shop.page_hosts() and not open_elsewhere:
            self._spider.stop(f"{host}: {error}", halted=True)
            raise StoppedError(str(error)) from None
        if silent:
            self._spider.silence()
        raise error

    def process_response(self, request: Request, response: Response) -> Response:
        """Count the answer, and heed what it says about the server's load."""
        self._leave(request)
        self._spider.received(len(response.body))
        if request.meta.get("probe"):
            self._robots.forget_silent()
        if response.status in PASSING:
            self._wait(request, response)
        return response

    def process_exception(self, request: Request, exception: Exception) -> None:
        """The request came to nothing; Scrapy decides whether it is repeated."""
        if not request.meta.get("inside", False):
            return  # the guard itself refused it, and said why
        self._leave(request)
        reason = CheckingResolver.refused.get(urlsplit(request.url).hostname or "")
        if reason is not None:
            raise IgnoreRequest(reason)

    def _leave(self, request: Request) -> None:
        if request.meta.pop("inside", False):
            self._host(request).leave()

    def _host(self, request: Request) -> Turnstile:
        name = urlsplit(request.url).netloc.lower()
        if name not in self._hosts:
            shop = self._spider.errand.shop
            self._hosts[name] = Turnstile(shop.requests_per_host, shop.delay, self._spider.over)
        return self._hosts[name]

    def _wait(self, request: Request, response: Response) -> None:
        errand = self._spider.errand
        header = (response.headers.get("Retry-After") or b"").decode("latin1")
        seconds = retry_after(header, time.time()) if header else None
        if seconds is None:
            seconds = errand.retry_seconds * 2 ** int(request.meta.get("retry_times", 0))
        if seconds > errand.limits.wait_seconds:
            name = urlsplit(request.url).netloc
            self._spider.stop(f"{name} asks to come back in {seconds:.0f} s", halted=True)
        self._host(request).pause(seconds)

    async def _fetch_robots(self, url: str) -> tuple[int, bytes]:
        meta = {"robots": True, "download_maxsize": self._spider.errand.limits.page_bytes}
        request = Request(url, callback=NO_CALLBACK, priority=1000, dont_filter=True, meta=meta)
        try:
            response = await _engine(self._crawler).download_async(request)
        except IgnoreRequest as error:
            raise RefusedError(str(error)) from None
        return response.status, response.body


class ShopSpider(Spider):
    """Walks from category pages and sitemaps to products and their images."""

    name = "shop"

    def __init__(
        self, errand: Errand, ledger: Ledger, tally: Tally, progress: Progress, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.errand = errand
        self._ledger = ledger
        self._tally = tally
        self._progress = progress
        self._hosts = errand.shop.page_hosts()
        self._began = time.monotonic()
        self._silent = 0
        self._second_pass = False
        CheckingResolver.allowed = errand.reach
        if errand.proxy:
            CheckingResolver.trusted = frozenset({urlsplit(errand.proxy).hostname or ""})

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> ShopSpider:
        """Called by Scrapy."""
        spider: ShopSpider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.idle, signal=signals.spider_idle)
        crawler.signals.connect(spider.broken, signal=signals.spider_error)
        return spider

    @property
    def stopping(self) -> bool:
        """Whether no further request may go out."""
        return bool(self._tally.stopped) or not self.crawler.crawling

    def stop(self, reason: str, halted: bool = False) -> None:
        """End the run; what is queued stays so."""
        if not self._tally.stopped:
            self._tally.stopped, self._tally.halted = reason, halted

    def check_limits(self) -> None:
        """Raise RefusedError if the run must end."""
        if self.over():
            raise RefusedError("stopped")

    def over(self) -> bool:
        """Whether the run must end, as when its time is up while all wait for a slow host."""
        limits, tally = self.errand.limits, self._tally
        seconds = time.monotonic() - self._began
        if tally.pages >= limits.pages:
            self.stop(f"the limit of {limits.pages} pages is reached")
        elif tally.bytes >= limits.bytes:
            self.stop(f"the limit of {limits.bytes} bytes is reached")
        elif seconds >= limits.seconds:
            self.stop(f"the limit of {limits.seconds:g} seconds is reached")
        return self.stopping

    def check_host(self, request: Request) -> None:
        """Raise RefusedError where a page is redirected to a host that is not the shop's."""
        if request.meta.get("kind", "image") != "image" and not self._is_own(request.url):
            host = urlsplit(request.url).hostname
            raise RefusedError(f"redirects to {host}, which is not among the shop's hosts")

    def received(self, count: int) -> None:
        """An answer of `count` bytes came in: the network is alive."""
        self._tally.bytes += count
        self._silent = 0

    async def start(self) -> AsyncIterator[Any]:
        """The queue as the last run left it."""
        for entry in self._ledger.queued():
            yield self._request(entry.url, entry.kind, entry)

    def idle(self) -> None:
        """Everything is fetched: give what failed for a passing reason a second chance."""
        if self.stopping:
            return
        if self._silent:  # is it some host that is dead, or the network?
            self._probe()
            raise DontCloseSpider
        if self._second_pass:
            return
        self._second_pass = True
        entries = self._ledger.second_pass()
        for entry in entries:
            _engine(self.crawler).crawl(self._request(entry.url, entry.kind, entry))
        if entries:
            raise DontCloseSpider

    def broken(self, failure: Failure, response: Response) -> None:
        """Record a page that its reader choked on; end where the ledger cannot be written."""
        error = failure.value
        if isinstance(error, (OSError, sqlite3.Error)):
            self.stop(f"the ledger cannot be written ({error})", halted=True)
        else:
            name = type(error).__name__
            self._fail(response.meta["entry"], f"damaged page ({name})", lasting=True)

    def _request(self, url: str, kind: Kind, entry: Entry | None = None) -> Request:
        limits = self.errand.limits
        callbacks = {
            "sitemap": self._on_sitemap,
            "listing": self._on_listing,
            "product": self._on_product,
            "image": self._on_image,
        }
        headers = {}
        if entry and kind in ("product", "image"):
            headers = {"If-None-Match": entry.etag, "If-Modified-Since": entry.modified}
        return Request(
            url,
            callback=callbacks[kind],
            errback=self._on_failure,
            headers={name: value for name, value in headers.items() if value},
            priority=_PRIORITY[kind],
            dont_filter=True,  # the ledger knows each URL once
            meta={
                "kind": kind,
                "entry": url,
                "handle_httpstatus_list": [304],
                "download_maxsize": limits.image_bytes if kind == "image" else limits.page_bytes,
            },
        )

    def _requests(self, urls: Iterable[str], kind: Kind) -> Iterator[Request]:
        return (self._request(url, kind) for url in urls)

    def _on_sitemap(self, response: Response) -> Iterator[Request]:
        body = response.body
        if gzip_magic_number(response):
            body = gunzip(body, max_size=self.errand.limits.page_bytes)
        sitemap = Sitemap(body)
        shop = self.errand.shop
        nested = sitemap.type == "sitemapindex"
        found: list[tuple[str, Kind]] = [
            (url, "sitemap" if nested else "product")
            for entry in sitemap
            if (url := _absolute(entry["loc"], response.url)) and self._is_own(url)
            if nested or shop.is_product(urlsplit(url).path)
        ]
        yield from self._record_page(response, found)

    def _on_listing(self, response: Response) -> Iterator[Request]:
        shop = self.errand.shop
        if not isinstance(response, TextResponse):
            self._fail(response.meta["entry"], "no web page", lasting=True)
            return
        steps: tuple[tuple[str | None, Kind], ...] = (
            (shop.products, "product"),
            (shop.next, "listing"),
        )
        base = base_of(response.selector, response.url)
        found = [
            (url, kind)
            for css, kind in steps
            for link in (response.css(css) if css else ())
            if (url := _absolute(_target(link), base))
            and self._is_own(url)
            and (kind == "listing" or shop.is_product(urlsplit(url).path))
        ]
        yield from self._record_page(response, found)

    def _record_page(self, response: Response, found: list[tuple[str, Kind]]) -> Iterator[Request]:
        kinds = dict(found)
        new = self._ledger.page(response.meta["entry"], _answer(response), kinds.items())
        self._count(pages=1)
        for url in new:
            yield self._request(url, kinds[url])

    def _on_product(self, response: Response) -> Iterator[Request]:
        url = response.meta["entry"]
        if response.status == 304:
            self._ledger.unchanged(url)
            self._count(pages=1)
            return
        page = response.selector if isinstance(response, TextResponse) else None
        product = page and read_product(page, response.url, self.errand.shop.fields)
        if not product:
            self._fail(url, "no product on the page", lasting=True, pages=1)
            return
        data = {**product.as_dict(), "final_url": response.url}
        new = self._ledger.product(url, _answer(response), data, product.images)
        self._count(pages=1, products=1)
        yield from self._requests(new, "image")

    async def _on_image(self, response: Response) -> None:
        url = response.meta["entry"]
        if response.status == 304:
            self._ledger.unchanged(url)
            self._count()
            return
        content = response.body
        try:
            picture = await asyncio.to_thread(open_photo, content, self.errand.limits.pixels)
        except PhotoError as error:
            # Half a file may come whole the next time; what is no picture will stay so.
            self._fail(url, str(error), lasting=str(error) not in ("truncated", "empty file"))
            return
        photo = Photo(
            hashlib.sha256(content).hexdigest(),
            str(picture.format).lower(),
            picture.width,
            picture.height,
            self._ledger.crawl,
            len(content),
        )
        self._ledger.image(url, _answer(response), photo, content)
        self._count(images=1)

    def silence(self) -> None:
        """A request got no answer; after so many in a row the shop itself is asked for one."""
        self._silent += 1
        if self._silent == SILENCE:
            self._probe()

    def _probe(self) -> None:
        """Ask for the shop's robots.txt: whatever it answers, the network is alive."""
        shop = self.errand.shop
        parts = urlsplit([*shop.start, *shop.sitemaps][0])
        request = Request(
            f"{parts.scheme}://{parts.netloc}/robots.txt",
            callback=self._is_there,
            errback=self._is_gone,
            priority=1000,
            dont_filter=True,
            meta={"robots": True, "probe": True, "dont_retry": True, "handle_httpstatus_all": True},
        )
        _engine(self.crawler).crawl(request)

    def _is_there(self, response: Response) -> None:
        """`received` has noted it."""

    def _is_gone(self, failure: Failure) -> None:
        if not isinstance(failure.value, StoppedError):
            count = self._silent
            plural = "request" if count == 1 else f"{count} requests"
            self.stop(f"no answer to the last {plural} nor from the shop", halted=True)

    def _on_failure(self, failure: Failure) -> None:
        request = failure.request  # type: ignore[attr-defined]
        url, error = request.meta["entry"], failure.value or RuntimeError("no reason given")
        if isinstance(error, StoppedError):
            return
        if isinstance(error, ClosedError):
            self._fail(url, str(error), lasting=False)
        elif isinstance(error, IgnoreRequest) and not isinstance(error, HttpError):
            self._ledger.refused(url, str(error))
            self._count()
        elif isinstance(error, HttpError):
            status = error.response.status
            pages = int(request.meta["kind"] != "image")
            self._fail(url, f"HTTP {status}", lasting=status not in PASSING, pages=pages)
        elif (reason := _network_reason(error)) == TOO_LARGE:  # an answer, and always the same
            self._fail(url, reason, lasting=True)
        else:
            self.silence()
            self._fail(url, reason, lasting=False)

    def _fail(self, url: str, reason: str, lasting: bool, pages: int = 0) -> None:
        self._ledger.failed(url, reason, lasting)
        self._count(pages=pages, failures=1)

    def _count(self, pages: int = 0, products: int = 0, images: int = 0, failures: int = 0) -> None:
        """Count one URL as dealt with."""
        tally = self._tally
        tally.pages += pages
        tally.products += products
        tally.images += images
        tally.failures += failures
        self._progress.note(
            f"{tally.pages} pages, {tally.products} products, {tally.images} images, "
            f"{tally.failures} failures"
        )
        self._progress.advance()

    def _is_own(self, url: str) -> bool:
        try:
            return ascii_host(urlsplit(url).hostname or "") in self._hosts
        except UnicodeError:  # a label that is too long for a name
            return False


def _engine(crawler: Crawler) -> ExecutionEngine:
    if crawler.engine is None:
        raise RuntimeError("the crawl has not begun")
    return crawler.engine


def _target(link: Selector) -> str:
    """Where an element's ``href`` leads, or what ``::attr(x)`` found."""
    return str(link.root if isinstance(link.root, str) else link.root.get("href", ""))


def _absolute(link: str | None, base: str) -> str:
    """The absolute http(s) URL without fragment, or ``""``."""
    if not link:
        return ""
    try:
        url = urldefrag(urljoin(base, link.strip())).url
        parts = urlsplit(url)
        return url if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""


def _answer(response: Response) -> Answer:
    def header(name: str) -> str:
        return (response.headers.get(name) or b"").decode("latin1")

    # The server's clock (RFC 9110 section 6.6.1) makes the record independent of this one.
    fetched = http_date(header("Date")) or datetime.now(timezone.utc)
    return Answer(
        header("ETag"),
        header("Last-Modified"),
        fetched.strftime("%Y-%m-%dT%H:%M:%SZ"),
        len(response.body),
    )


def _cause(error: BaseException) -> BaseException:
    """What a failed name lookup or connection was wrapped around."""
    for reason in getattr(error, "reasons", ()):
        return _cause(reason.value)
    return error.__cause__ or getattr(error, "osError", None) or error


def _network_reason(error: BaseException) -> str:
    name = type(_cause(error)).__name__
    return {
        "TimeoutError": "timeout",
        "DownloadTimeoutError": "timeout",
        "DownloadCancelledError": TOO_LARGE,
    }.get(name, f"no answer ({name})")
