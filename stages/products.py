"""Labels, tables and image store of the crawled products: `python -m stages.products`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from latent_atlas.config import reading
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.shop.products import ground_truth
from latent_atlas.shop.products.label import label_products
from latent_atlas.shop.products.metrics import METRICS, product_metrics
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.sheets import plot_sheets
from latent_atlas.shop.products.store import write_store
from latent_atlas.shop.products.tables import write_tables
from latent_atlas.util.console import UserError, fields_of, run_command, say

CRAWL = Path("data/crawl")
TABLES = Path("data/products")
STORE = Path("data/shop")
PLOTS = Path("plots/products")


def main() -> None:
    """Read the parameters, open the crawl, and write tables, sheets, store and metrics."""
    argparse.ArgumentParser(prog="python -m stages.products", description=__doc__).parse_args()
    settings = reading.load()
    crawl, card = _open_crawl(CRAWL)
    shards = Shards(CRAWL)
    with fields_of("products"):
        products = label_products(crawl, shards, settings.products, settings.seed)
        table, photos, words = products.table, products.photos, products.unknown_words
        source = f"crawl of {card['shop']}"
        title = f"{source}, {settings.products.backbone}"
        write_tables(TABLES, table, words, photos, products.fronts)
        plot_sheets(PLOTS, table, photos, products.others, products.choice, shards, title)
        verdicts = list(photos["verdict"])
        write_store(STORE, table, verdicts, shards, settings.products, source, card["licence"])
    truth = CRAWL / "truth.parquet"
    metrics = product_metrics(products, pd.read_parquet(truth) if truth.is_file() else None)
    write_metrics("products", {"shop": metrics}, (METRICS, ground_truth.METRICS))
    say(
        f"{STORE}: {(table['img_path'] != '').sum()} of {len(table)} products have a usable photo; "
        f"{len(words)} unknown words in {TABLES}/unknown_words.csv"
    )


def _open_crawl(folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """The crawl's table of products, and its card."""
    try:
        table = pd.read_parquet(folder / "products.parquet")
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: found no complete crawl ({error}); run `dvc repro scrape`, or `dvc pull` "
            "if the crawl is frozen"
        ) from None
    return table, card


if __name__ == "__main__":
    run_command(main)
