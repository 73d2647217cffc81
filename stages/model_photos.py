"""`python -m stages.model_photos`: make `data/shop_worn`, the model photos of the products.

Its images have the ids and splits of `data/shop`, for pairs of product and model photo.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from latent_atlas.config.schema import SHOP, WORN
from latent_atlas.data.store import open_store
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.worn import write_worn_store
from latent_atlas.util.console import UserError, run_command, say

CRAWL = Path("data/crawl")
TABLE = Path("data/products/model_photos.csv")


def main() -> None:
    """Open the products and the crawl, and write the store."""
    argparse.ArgumentParser(prog="python -m stages.model_photos", description=__doc__).parse_args()
    shop = open_store(Path("data") / SHOP)
    try:
        fronts = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{TABLE}: cannot be read ({error}); make it with `dvc repro products`"
        ) from None
    folder = Path("data") / WORN
    write_worn_store(folder, shop, fronts, Shards(CRAWL))
    count = len(open_store(folder).index)
    say(f"{folder}: {count} of {len(shop.index)} products have a model photo")


if __name__ == "__main__":
    run_command(main)
