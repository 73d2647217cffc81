"""Choice of each product's own photo among its photos."""

from __future__ import annotations

import pandas as pd

from latent_atlas.config.schema import PhotoRules
from latent_atlas.shop.products import photos
from latent_atlas.shop.products.measured_photos import MeasuredPhotos


def photo_table(crawl: pd.DataFrame) -> pd.DataFrame:
    """One row per fetched photo of a product: id, position, url, path, sha256."""
    rows = [
        (row["id"], position, url, path, digest)
        for row in crawl.to_dict("records")
        for position, (url, path, digest) in enumerate(
            zip(row["image_urls"], row["image_paths"], row["image_sha256"], strict=True)
        )
        if path
    ]
    return pd.DataFrame(rows, columns=["id", "position", "url", "path", "sha256"])


def with_verdicts(table: pd.DataFrame, measured: MeasuredPhotos, rules: PhotoRules) -> pd.DataFrame:
    """Add the verdict on each photo; of near duplicates, only the first one is accepted.

    Args:
        table: from `photo_table`.
        measured: the same photos.
        rules: see `photos.verdict`.

    Returns:
        `table` with ``verdict``, empty for an accepted photo, and ``detail``, which names the
        product of a repeated photo.
    """
    rows = measured.rows(table["path"])
    details = [photos.verdict(measured.measures[row], rules) for row in rows]
    good = [number for number, detail in enumerate(details) if not detail]
    if good:
        repeats = photos.duplicates(measured.thumbs[[rows[number] for number in good]], rules.near)
        for number, first in zip(good, repeats, strict=True):
            if first >= 0:
                details[number] = f"repeats a photo of {table['id'].iloc[good[first]]}"
    verdicts = ["repeats a photo" if detail.startswith("repeats") else detail for detail in details]
    return table.assign(verdict=verdicts, detail=details)


def with_own_photo(crawl: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The crawl's table with the chosen photo as the product's, and all others as model photos.

    Args:
        crawl: the products.
        chosen: accepted photos from `with_verdicts`, indexed by product.
    """
    table = crawl.copy()
    for column, source in (("img_path", "path"), ("img_url", "url"), ("sha256", "sha256")):
        values = dict(chosen[source])
        table[column] = [values.get(sku, "") for sku in table["id"]]
    table["model_img_urls"] = [
        [url for url in urls if url != own]
        for urls, own in zip(table["image_urls"], table["img_url"], strict=True)
    ]
    return table
