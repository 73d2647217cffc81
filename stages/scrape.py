"""`python -m stages.scrape`: crawl the shop of `params.scrape` into `data/crawl/`."""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import socket
from pathlib import Path

import pandas as pd

from latent_atlas.config import reading
from latent_atlas.config.schema import Params
from latent_atlas.data.sources.fetch import repository
from latent_atlas.shop.crawl import shop_file
from latent_atlas.shop.crawl.drawn import catalogue, server
from latent_atlas.shop.crawl.export import EmptyCrawlError, export
from latent_atlas.shop.crawl.ledger import Kind, opened
from latent_atlas.shop.crawl.policy import Reach, reach_of_address, reach_of_name
from latent_atlas.shop.crawl.shop_file import Shop
from latent_atlas.shop.crawl.spider import Errand, Limits, crawl
from latent_atlas.util.console import UserError, run_command, say

DRAWN = "drawn"
CRAWLS = Path(".cache/crawls")
OUT = Path("data/crawl")
AGENT = "latent-atlas/0.1"


def main() -> None:
    """Read the parameters and crawl; the drawn shop is served while that goes on."""
    argparse.ArgumentParser(prog="python -m stages.scrape", description=__doc__).parse_args()
    settings = reading.load()
    if settings.scrape.shop != DRAWN:
        shop = shop_file.load(repository() / settings.scrape.shop)
        run(settings, shop, settings.scrape.proxy, repository() / CRAWLS / shop.name, None)
        return
    shop = shop_file.load(shop_file.SHOPS / "drawn.yaml")
    count, seed = settings.number(settings.scrape.products), settings.seed
    drawn = catalogue.make(count, seed)
    # It can be drawn again at any time: only an interrupted crawl is worth keeping.
    state = repository() / CRAWLS / f"{shop.name}-{count}-{seed}"
    with server.serve(server.Shop(drawn)) as proxy:
        run(settings, shop, proxy, state, drawn.truth())
    shutil.rmtree(state, ignore_errors=True)


def run(
    settings: Params, shop: Shop, proxy: str | None, state: Path, truth: pd.DataFrame | None
) -> None:
    """Crawl `shop` with the memory in the folder `state`, and write `OUT`.

    Raises:
        UserError: if the crawl cannot begin, or could not go on.
        KeyboardInterrupt: if it was interrupted.
    """
    scrape = settings.scrape
    reach = _reach(shop, proxy)
    if reach != "loopback" and scrape.contact is None:
        raise UserError(
            "scrape.contact: null, expected a mail address or URL under which the operator of "
            f"{shop.name} can reach you; it goes into the user agent"
        )
    errand = Errand(
        shop=shop,
        reach=reach,
        agent=f"{AGENT} (+{scrape.contact})" if scrape.contact else AGENT,
        limits=Limits(**scrape.limits.model_dump()),
        retries=scrape.retries,
        retry_seconds=scrape.retry_seconds,
        proxy=proxy,
    )
    start: list[tuple[str, Kind]] = [(url, "listing") for url in shop.start]
    start += [(url, "sitemap") for url in shop.sitemaps]
    with opened(state / "ledger.sqlite", _fingerprint(shop)) as ledger:
        if ledger.begin(start):
            say(f"{shop.name}: going on with the crawl in {state}")
        tally = crawl(errand, ledger)
        if tally.stopped == "interrupted":
            raise KeyboardInterrupt
        if tally.halted:
            ledger.forget_failures()
            raise UserError(f"{shop.name}: {tally.stopped}; run again to go on")
        if tally.stopped:
            say(f"{shop.name}: {tally.stopped}; the next run goes on from there")
        try:
            card = export(ledger, shop, OUT, scrape.shard_bytes, tally.stopped, truth)
        except EmptyCrawlError:
            ledger.exported(complete=not tally.stopped)
            raise
        # Last: a crawl that is killed while it writes goes on with writing.
        ledger.exported(complete=not tally.stopped)
    say(f"{OUT}: {card['products']} products, {card['images']} images; see {OUT}/ledger.csv")


def _reach(shop: Shop, proxy: str | None) -> Reach:
    """How far the addresses of the shop's own hosts reach; all alike, or the file is refused."""
    reaches = {host: _reach_of(host, proxy) for host in sorted(shop.page_hosts())}
    if len(set(reaches.values())) > 1:
        found = ", ".join(f"{host} ({reach})" for host, reach in reaches.items())
        raise UserError(f"{shop.name}: hosts of different networks in one shop file: {found}")
    return next(iter(reaches.values()))


def _reach_of(host: str, proxy: str | None) -> Reach:
    reach = reach_of_name(host)
    if reach is not None:
        return reach
    if proxy is not None:  # the proxy looks names up
        return "public"
    try:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except OSError:
        raise UserError(f"{host}: cannot be found; check the shop file and the network") from None
    return reach_of_address(str(found[0][4][0]))


def _fingerprint(shop: Shop) -> str:
    """What a half-done crawl depends on; manners may change between two runs."""
    values = shop.model_dump(exclude={"licence", "requests_per_host", "delay"})
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    run_command(main)
