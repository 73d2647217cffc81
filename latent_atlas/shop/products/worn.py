"""Image store of the model photos of products: the targets of pairs, product → model photo."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from latent_atlas.data.store import Store, StoreWriter
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.sheets import fit_image
from latent_atlas.util.console import Progress, UserError


def write_worn_store(folder: Path, shop: Store, fronts: pd.DataFrame, shards: Shards) -> None:
    """Write the chosen model photo of each product of a store, under the same id and split.

    Args:
        folder: the new store.
        shop: of the products' own photos.
        fronts: the chosen model photos, from ``data/products/model_photos.csv``.
        shards: images of the crawl.

    Raises:
        UserError: if no product of the store has a model photo.
    """
    chosen = {str(row["id"]): row for row in fronts.drop_duplicates("id").to_dict("records")}
    rows = shop.index[shop.index["id"].isin(list(chosen))]
    if rows.empty:
        raise UserError(
            f"no product of {shop.path} has a model photo; see plots/products, and choose the kind "
            "of photo by products.examples"
        )
    height, width, channels = shop.shape
    with (
        StoreWriter(folder, height, width, channels) as writer,
        Progress("model photos", len(rows), "images") as progress,
    ):
        for row in rows.to_dict("records"):
            photo = chosen[str(row["id"])]
            image = fit_image(shards.photo(str(photo["path"])), height, width)
            own = {**row, "origin": photo["url"], "sha256": photo["sha256"]}
            writer.append(image[None], pd.DataFrame([own]))
            progress.advance()
        writer.finish(
            name=folder.name,
            source=shop.card["source"],
            licence=shop.card["licence"],
            attributes=shop.card["attributes"],
        )
