"""Settings of a crawl, and the Scrapy settings that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latent_atlas.config.schema import Scrape
from latent_atlas.shop.crawl.policy import Network
from latent_atlas.shop.crawl.responses import PASSING
from latent_atlas.shop.crawl.shop_file import Shop


@dataclass(frozen=True)
class CrawlConfig:
    """A shop with the settings under which it is crawled.

    Attributes:
        shop: the shop.
        network: the network of the shop's own hosts.
        agent: the user agent, with the contact.
        scrape: limits, retries and proxy.
    """

    shop: Shop
    network: Network
    agent: str
    scrape: Scrape


def scrapy_settings(config: CrawlConfig) -> dict[str, Any]:
    """Scrapy's settings: everything off that `guard.Guard` and the ledger do themselves."""
    limits = config.scrape.limits
    return {
        "USER_AGENT": config.agent,
        "ROBOTSTXT_OBEY": False,  # Guard applies robots.txt, see guard.py
        "DOWNLOAD_HANDLERS": {"data": None, "file": None, "ftp": None, "s3": None},
        "HTTPPROXY_ENABLED": False,
        "COOKIES_ENABLED": False,
        # The spider yields no items. With the default, each response would wait for 100 tasks.
        "CONCURRENT_ITEMS": 1,
        "DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter",
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
        "EXTENSIONS_BASE": {},
        "SPIDER_MIDDLEWARES": {
            "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
            "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
        },
        "METAREFRESH_ENABLED": False,
        # Guard limits the requests to each host. These limits must only not be narrower.
        "CONCURRENT_REQUESTS": max(64, 2 * config.shop.requests_per_host),
        "CONCURRENT_REQUESTS_PER_DOMAIN": config.shop.requests_per_host,
        "DOWNLOAD_DELAY": 0,
        "DOWNLOAD_TIMEOUT": limits.answer_seconds,
        "DOWNLOAD_MAXSIZE": max(limits.page_bytes, limits.image_bytes),
        "DOWNLOAD_WARNSIZE": 0,
        "RETRY_TIMES": config.scrape.retries,
        "RETRY_HTTP_CODES": sorted(PASSING),
        "REDIRECT_MAX_TIMES": 10,
        "LOG_LEVEL": "CRITICAL",
        "LOG_ENABLED": False,
    }
