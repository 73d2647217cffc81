"""Scrapy spider of a shop, with the ledger as its queue and memory.

Scrapy downloads, retries, redirects and decompresses. The middleware `guard.Guard` decides whether
and when a request is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider, signals
from scrapy.core.engine import ExecutionEngine
from scrapy.crawler import Crawler
from scrapy.exceptions import DontCloseSpider, IgnoreRequest
from scrapy.http import Response, TextResponse
from scrapy.spidermiddlewares.httperror import HttpError
from scrapy.utils.gz import gunzip, gzip_magic_number
from twisted.python.failure import Failure

from latent_atlas.data.photo import PhotoError, open_photo
from latent_atlas.shop.crawl.ledger import Entry, Kind, Ledger, StoredImage
from latent_atlas.shop.crawl.links import Link, is_on, listing_links, sitemap_links
from latent_atlas.shop.crawl.policy import STOPPED, ClosedError, RefusedError
from latent_atlas.shop.crawl.resolver import CheckingResolver
from latent_atlas.shop.crawl.responses import PASSING, TOO_LARGE, network_reason, response_record
from latent_atlas.shop.crawl.settings import CrawlConfig
from latent_atlas.shop.crawl.structured import read_product
from latent_atlas.util.console import Progress

MAX_SILENCE = 20
"""Failed connections in a row after which the shop's robots.txt is requested as a probe."""

_PRIORITY: dict[Kind, int] = {"image": 30, "product": 20, "listing": 10, "sitemap": 0}


@dataclass
class Tally:
    """Counts of a run.

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


class ShopSpider(Spider):
    """Crawl from category pages and sitemaps to products and their images.

    Args:
        config: the shop and the settings.
        ledger: the queue, and the record of each URL.
        tally: counts, updated during the run.
        progress: advanced by each URL.
    """

    name = "shop"

    def __init__(
        self, config: CrawlConfig, ledger: Ledger, tally: Tally, progress: Progress, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.config = config
        self._limits = config.scrape.limits
        self._ledger = ledger
        self._tally = tally
        self._progress = progress
        self._hosts = config.shop.page_hosts()
        self._began = time.monotonic()
        self._silent = 0
        self._second_pass = False
        CheckingResolver.network = config.network
        if config.scrape.proxy:
            CheckingResolver.trusted = frozenset({urlsplit(config.scrape.proxy).hostname or ""})

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> ShopSpider:
        """Create the spider and connect its signals; called by Scrapy."""
        spider: ShopSpider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider.on_idle, signal=signals.spider_idle)
        crawler.signals.connect(spider.on_error, signal=signals.spider_error)
        return spider

    @property
    def stopping(self) -> bool:
        """Whether no further request may be sent."""
        return bool(self._tally.stopped) or not self.crawler.crawling

    def stop(self, reason: str, halted: bool = False) -> None:
        """End the run; queued URLs stay queued."""
        if not self._tally.stopped:
            self._tally.stopped, self._tally.halted = reason, halted

    def check_limits(self) -> None:
        """Raise RefusedError if the run must end."""
        if self.limit_reached():
            raise RefusedError(STOPPED)

    def limit_reached(self) -> bool:
        """Whether the run must end, for instance while all requests wait for a slow host."""
        limits, tally = self._limits, self._tally
        seconds = time.monotonic() - self._began
        if tally.pages >= limits.pages:
            self.stop(f"the limit of {limits.pages} pages is reached")
        elif tally.bytes >= limits.bytes:
            self.stop(f"the limit of {limits.bytes} bytes is reached")
        elif seconds >= limits.seconds:
            self.stop(f"the limit of {limits.seconds:g} seconds is reached")
        return self.stopping

    def check_host(self, request: Request) -> None:
        """Raise RefusedError if a page redirects to a host that is not the shop's."""
        if request.meta.get("kind", "image") != "image" and not is_on(request.url, self._hosts):
            host = urlsplit(request.url).hostname
            raise RefusedError(f"redirects to {host}, which is not among the shop's hosts")

    def received(self, count: int) -> None:
        """Record a response of `count` bytes: the network is alive."""
        self._tally.bytes += count
        self._silent = 0

    async def start(self) -> AsyncIterator[Any]:
        """Requests for the queue as the last run left it."""
        for entry in self._ledger.queued():
            yield self._request(entry.url, entry.kind, entry)

    def on_idle(self) -> None:
        """Queue failed URLs once more if their failures may have passed."""
        if self.stopping:
            return
        if self._silent:  # find out whether single hosts are dead or the network is
            self._probe()
            raise DontCloseSpider
        if self._second_pass:
            return
        self._second_pass = True
        entries = self._ledger.queue_second_pass()
        for entry in entries:
            engine_of(self.crawler).crawl(self._request(entry.url, entry.kind, entry))
        if entries:
            raise DontCloseSpider

    def on_error(self, failure: Failure, response: Response) -> None:
        """Record a page whose parsing failed; end the run if the ledger cannot be written."""
        error = failure.value
        if isinstance(error, (OSError, sqlite3.Error)):
            self.stop(f"the ledger cannot be written ({error})", halted=True)
        else:
            name = type(error).__name__
            self._fail(response.meta["entry"], f"damaged page ({name})", lasting=True)

    def _request(self, url: str, kind: Kind, entry: Entry | None = None) -> Request:
        limits = self._limits
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
            dont_filter=True,  # the ledger holds each URL once
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
            body = gunzip(body, max_size=self._limits.page_bytes)
        links = sitemap_links(body, response.url, self.config.shop, self._hosts)
        yield from self._record_page(response, links)

    def _on_listing(self, response: Response) -> Iterator[Request]:
        if not isinstance(response, TextResponse):
            self._fail(response.meta["entry"], "no web page", lasting=True)
            return
        links = listing_links(response, self.config.shop, self._hosts)
        yield from self._record_page(response, links)

    def _record_page(self, response: Response, links: list[Link]) -> Iterator[Request]:
        kinds = dict(links)
        record = response_record(response)
        new = self._ledger.record_page(response.meta["entry"], record, kinds.items())
        self._count(pages=1)
        for url in new:
            yield self._request(url, kinds[url])

    def _on_product(self, response: Response) -> Iterator[Request]:
        url = response.meta["entry"]
        if response.status == 304:
            self._ledger.record_unchanged(url)
            self._count(pages=1)
            return
        page = response.selector if isinstance(response, TextResponse) else None
        product = page and read_product(page, response.url, self.config.shop.fields)
        if not product:
            self._fail(url, "no product on the page", lasting=True, pages=1)
            return
        data = {**product.as_dict(), "final_url": response.url}
        new = self._ledger.record_product(url, response_record(response), data, product.images)
        self._count(pages=1, products=1)
        yield from self._requests(new, "image")

    async def _on_image(self, response: Response) -> None:
        url = response.meta["entry"]
        if response.status == 304:
            self._ledger.record_unchanged(url)
            self._count()
            return
        content = response.body
        try:
            picture = await asyncio.to_thread(open_photo, content, self._limits.pixels)
        except PhotoError as error:
            # A cut file may arrive whole next time; a file that is not an image does not change.
            self._fail(url, str(error), lasting=str(error) not in ("truncated", "empty file"))
            return
        image = StoredImage(
            hashlib.sha256(content).hexdigest(),
            str(picture.format).lower(),
            picture.width,
            picture.height,
            self._ledger.crawl,
            len(content),
        )
        self._ledger.record_image(url, response_record(response), image, content)
        self._count(images=1)

    def count_silence(self) -> None:
        """Count a request without response; after `MAX_SILENCE` in a row, probe the shop."""
        self._silent += 1
        if self._silent == MAX_SILENCE:
            self._probe()

    def _probe(self) -> None:
        """Request the shop's robots.txt: any response shows that the network is alive."""
        shop = self.config.shop
        parts = urlsplit([*shop.start, *shop.sitemaps][0])
        request = Request(
            f"{parts.scheme}://{parts.netloc}/robots.txt",
            callback=self._on_probe,
            errback=self._on_probe_failure,
            priority=1000,
            dont_filter=True,
            meta={"robots": True, "probe": True, "dont_retry": True, "handle_httpstatus_all": True},
        )
        engine_of(self.crawler).crawl(request)

    def _on_probe(self, response: Response) -> None:
        """Nothing is left to do: `received` has recorded the response."""

    def _on_probe_failure(self, failure: Failure) -> None:
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
            self._ledger.record_refusal(url, str(error))
            self._count()
        elif isinstance(error, HttpError):
            status = error.response.status
            pages = int(request.meta["kind"] != "image")
            self._fail(url, f"HTTP {status}", lasting=status not in PASSING, pages=pages)
        elif (reason := network_reason(error)) == TOO_LARGE:  # a response, the same each time
            self._fail(url, reason, lasting=True)
        else:
            self.count_silence()
            self._fail(url, reason, lasting=False)

    def _fail(self, url: str, reason: str, lasting: bool, pages: int = 0) -> None:
        self._ledger.record_failure(url, reason, lasting)
        self._count(pages=pages, failures=1)

    def _count(self, pages: int = 0, products: int = 0, images: int = 0, failures: int = 0) -> None:
        """Count one URL as finished."""
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


def engine_of(crawler: Crawler) -> ExecutionEngine:
    """The engine of a crawl that has begun."""
    if crawler.engine is None:
        raise RuntimeError("the crawl has not begun")
    return crawler.engine
