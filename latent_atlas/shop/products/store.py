"""Image store of the products that have a category and a usable photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from latent_atlas.config.schema import Products
from latent_atlas.data.store import StoreWriter, split_of
from latent_atlas.shop.products.schema import NORMALISED
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.sheets import fit_image
from latent_atlas.util.console import FieldError


def write_store(
    folder: Path,
    table: pd.DataFrame,
    verdicts: Sequence[str],
    shards: Shards,
    settings: Products,
    source: str,
    licence: str,
) -> None:
    """Write the image store of the products.

    Args:
        folder: the store.
        table: the labelled products.
        verdicts: the verdict on each photo, for the error message.
        shards: images of the crawl.
        settings: size of the images, and share of validation images.
        source: origin of the images, for the store's card.
        licence: licence of the images, for the store's card.

    Raises:
        FieldError: ``rules``, if no product has both a usable photo and a category.
    """
    usable = table[is_usable(table)]
    if usable.empty:
        counts = Counter(verdict or "product outside the schema" for verdict in verdicts)
        reason, count = counts.most_common(1)[0]
        raise FieldError(
            "rules",
            f"no product has both a usable photo and a category; {count} of {len(verdicts)} "
            f"photos: {reason}; see plots/products/rejected.png and data/products/photos.csv",
        )
    rejected = [
        {
            "origin": str(row["product_url"]),
            "reason": "no category of the schema" if not row["category"] else "no usable photo",
        }
        for row in table.drop(usable.index).to_dict("records")
    ]
    with StoreWriter(folder, settings.height, settings.width, 3) as writer:
        for row in usable.to_dict("records"):
            photo = shards.photo(str(row["img_path"]))
            image = fit_image(photo, settings.height, settings.width)
            index = {
                "id": row["id"],
                "split": split_of(str(row["sha256"]), settings.valid_share),
                "label": row["category"],
                "origin": row["img_url"],
                "sha256": row["sha256"],
                **{column: row[column] for column in NORMALISED},
            }
            writer.append(image[None], pd.DataFrame([index]))
        writer.finish(
            name=folder.name,
            source=source,
            licence=licence,
            attributes=NORMALISED,
            rejected=rejected,
        )


def is_usable(table: pd.DataFrame) -> pd.Series:
    """Whether each product has a category and a photo, so that it enters the store."""
    return (table["category"] != "") & (table["img_path"] != "")
