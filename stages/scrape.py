"""Crawl of the shop of `scrape` in params.yaml into `data/crawl/`: `python -m stages.scrape`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.data.sources.fetch import repository
from latent_atlas.shop.crawl import shop_file
from latent_atlas.shop.crawl.drawn import catalogue, server
from latent_atlas.shop.crawl.run import crawl_shop
from latent_atlas.util.console import fields_of, run_command, say

DRAWN = "drawn"
CRAWLS = Path(".cache/crawls")
OUT = Path("data/crawl")


def main() -> None:
    """Read the parameters and crawl; the drawn shop is served during its crawl."""
    argparse.ArgumentParser(prog="python -m stages.scrape", description=__doc__).parse_args()
    settings = reading.load()
    scrape, crawls = settings.scrape, repository() / CRAWLS
    if scrape.shop == DRAWN:
        shop = shop_file.load(shop_file.SHOPS / "drawn.yaml")
        count = scrape.products
        state = crawls / f"{shop.name}-{count}-{settings.seed}"
        drawn = catalogue.draw_catalogue(count, settings.seed)
        with server.serve(server.DrawnShop(drawn)) as proxy:
            local = scrape.model_copy(update={"proxy": proxy})
            card = crawl_shop(shop, local, state, OUT, drawn.truth())
        # The drawn shop can be drawn again: only an interrupted crawl is worth keeping.
        shutil.rmtree(state, ignore_errors=True)
    else:
        shop = shop_file.load(repository() / scrape.shop)
        with fields_of("scrape"):
            card = crawl_shop(shop, scrape, crawls / shop.name, OUT, None)
    say(f"{OUT}: {card['products']} products, {card['images']} images; see {OUT}/ledger.csv")


if __name__ == "__main__":
    run_command(main)
