"""`python -m stages.export_products --out FOLDER`: the data set of the thesis from a crawl.

It has 256×256 JPEG images in a folder for each category, `products.csv` with the columns of the
thesis, `one_hot.csv` and `card.json`; `img_path` is relative to the CSV files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from latent_atlas.shop.products.data_set import export_data_set
from latent_atlas.shop.products.shards import Shards
from latent_atlas.util.console import UserError, run_command, say

CRAWL = Path("data/crawl")
TABLES = Path("data/products")


def main() -> None:
    """Read the labelled products, and write the data set."""
    parser = argparse.ArgumentParser(
        prog="python -m stages.export_products",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="a new or an empty folder")
    out = parser.parse_args().out
    try:
        table = pd.read_parquet(TABLES / "products.parquet")
        crawl = json.loads((CRAWL / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{TABLES}: found no labelled products ({error}); run `dvc repro products`, or "
            "`dvc pull` if the crawl is frozen"
        ) from None
    card = {key: crawl[key] for key in ("shop", "licence")}
    count = export_data_set(out, table, Shards(CRAWL), card)
    say(f"{out}: {count} of {len(table)} products; the others have no category or usable photo")


if __name__ == "__main__":
    run_command(main)
