"""Columns of the table of clothes, and the values of the normalised ones."""

from __future__ import annotations

NONE = "none"
"""Value of an attribute that does not apply or is unknown."""

VALUES: dict[str, tuple[str, ...]] = {
    "category": ("blouses", "dresses", "jackets", "knitwear", "pants", "skirts", "tops"),
    "color": ("beige", "black", "blue", "gray", "green", "pink", "red", "white", "yellow"),
    "length": ("3-4", "knee", "long", "normal", "short", NONE),
    "sleeve_length": ("half", "long", "short", "sleeveless", NONE),
    "fit": ("loose", "normal", "tight", NONE),
    "pattern": ("floral", "lace", "polkadots", "print", "stripes", "unicolors", NONE),
    "neckline": ("back", "deep", "lines", "round", "v", "wide", NONE),
}
NORMALISED = tuple(VALUES)

COLUMNS = (
    "id",
    "img_path",
    "img_url",
    "model_img_urls",
    "product_url",
    "brand",
    "name",
    "attributes",
    *NORMALISED,
)
"""Columns of products.csv, and the first ones of products.parquet."""


def one_hot_columns() -> list[tuple[str, str]]:
    """Attribute and value of each binary column, in the order of the one-hot table."""
    return [
        (column, value) for column, values in VALUES.items() for value in values if value != NONE
    ]
