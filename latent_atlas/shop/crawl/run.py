"""Crawl of a shop from its start pages to the exported files."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pandas as pd
from scrapy.crawler import CrawlerProcess

from latent_atlas.config.schema import Scrape
from latent_atlas.shop.crawl.export import EmptyCrawlError, export
from latent_atlas.shop.crawl.guard import Guard
from latent_atlas.shop.crawl.ledger import Kind, Ledger, open_ledger
from latent_atlas.shop.crawl.policy import Network, network_of_address, network_of_name
from latent_atlas.shop.crawl.resolver import CheckingResolver
from latent_atlas.shop.crawl.settings import CrawlConfig, scrapy_settings
from latent_atlas.shop.crawl.shop_file import Shop
from latent_atlas.shop.crawl.spider import ShopSpider, Tally
from latent_atlas.util.console import FieldError, Progress, UserError, say

AGENT = "latent-atlas/0.1"
"""Product token and version in the user agent."""


def crawl_shop(
    shop: Shop, scrape: Scrape, state: Path, folder: Path, truth: pd.DataFrame | None
) -> dict[str, Any]:
    """Crawl `shop` within the limits, and write the result.

    Args:
        shop: its shop file.
        scrape: the settings.
        state: folder of the ledger. An unfinished crawl in it is resumed.
        folder: output, see `export`.
        truth: the true products of the drawn shop, or None.

    Returns:
        the card of the crawl.

    Raises:
        FieldError: ``contact``, if a shop on another machine is crawled without one.
        UserError: if the crawl cannot begin or cannot go on.
        KeyboardInterrupt: if it was interrupted.
    """
    config = crawl_config(shop, scrape)
    start: list[tuple[str, Kind]] = [(url, "listing") for url in shop.start]
    start += [(url, "sitemap") for url in shop.sitemaps]
    with open_ledger(state / "ledger.sqlite", _fingerprint(shop)) as ledger:
        if ledger.begin(start):
            say(f"{shop.name}: resuming the crawl in {state}")
        tally = _fetch(config, ledger)
        if tally.stopped == "interrupted":
            raise KeyboardInterrupt
        if tally.halted:
            ledger.forget_failures()
            raise UserError(f"{shop.name}: {tally.stopped}; run again to resume")
        if tally.stopped:
            say(f"{shop.name}: {tally.stopped}; the next run resumes here")
        try:
            card = export(ledger, shop, folder, scrape.shard_bytes, tally.stopped, truth)
        except EmptyCrawlError:
            ledger.record_export(complete=not tally.stopped)
            raise
        # Last, so that a crawl that is killed while it writes only writes again.
        ledger.record_export(complete=not tally.stopped)
    return card


def crawl_config(shop: Shop, scrape: Scrape) -> CrawlConfig:
    """The settings of the crawl of `shop`, with its network and the user agent.

    Raises:
        FieldError: ``contact``, if a shop on another machine is crawled without one.
        UserError: if a host is unknown, or the shop's hosts are in different networks.
    """
    network = _network(shop, scrape.proxy)
    if network != "loopback" and scrape.contact is None:
        raise FieldError(
            "contact",
            "found null, expected a mail address or URL under which the operator of "
            f"{shop.name} can reach you; it becomes part of the user agent",
        )
    agent = f"{AGENT} (+{scrape.contact})" if scrape.contact else AGENT
    return CrawlConfig(shop, network, agent, scrape)


def _fetch(config: CrawlConfig, ledger: Ledger) -> Tally:
    """Fetch the queue of the ledger, and all that it leads to, within the limits.

    Blocks until the crawl ends. Can be called once per process: a Twisted reactor starts only once.
    """
    tally = Tally()
    settings = scrapy_settings(config)
    settings |= {"DOWNLOADER_MIDDLEWARES": {Guard: 950}, "TWISTED_DNS_RESOLVER": CheckingResolver}
    process = CrawlerProcess(settings)
    with Progress(f"scrape {config.shop.name}", None, "URLs") as progress:
        process.crawl(ShopSpider, config=config, ledger=ledger, tally=tally, progress=progress)
        process.start()
    if not tally.stopped and ledger.queued():
        tally.stopped = "interrupted"
    return tally


def _network(shop: Shop, proxy: str | None) -> Network:
    """The network that all hosts of the shop are in."""
    networks = {host: _network_of(host, proxy) for host in sorted(shop.page_hosts())}
    if len(set(networks.values())) > 1:
        listed = ", ".join(f"{host} ({network})" for host, network in networks.items())
        raise UserError(
            f"{shop.name}: hosts of different networks in one shop file; found {listed}; write one "
            "shop file for each network"
        )
    return next(iter(networks.values()))


def _network_of(host: str, proxy: str | None) -> Network:
    network = network_of_name(host)
    if network is not None:
        return network
    if proxy is not None:  # the proxy looks up names
        return "public"
    try:
        addresses = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        raise UserError(
            f"{host}: the name cannot be resolved; check the shop file and the network"
        ) from None
    return network_of_address(str(addresses[0][4][0]))


def _fingerprint(shop: Shop) -> str:
    """Hash of the keys that an unfinished crawl depends on; its request rate may change."""
    values = shop.model_dump(exclude={"licence", "requests_per_host", "delay"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
