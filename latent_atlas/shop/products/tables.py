"""Tables of the products: normalised attributes, binary columns, counts and unknown words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from latent_atlas.shop.products.schema import COLUMNS, NORMALISED, VALUES, one_hot_columns
from latent_atlas.shop.products.vocabulary import ProductText, Reading, Vocabulary
from latent_atlas.util.files import write_folder


def read_products(crawl: pd.DataFrame, vocabulary: Vocabulary) -> list[Reading]:
    """Derive values of the schema from the texts of every row of the crawl's table."""
    return [
        vocabulary.read(
            ProductText(
                name=str(row["name"]),
                attributes=list(row["attributes"]),
                description=str(row["description"]),
                breadcrumbs=list(row["breadcrumbs"]),
                brand=str(row["brand"]),
                language=str(row["language"]),
            )
        )
        for row in crawl.to_dict("records")
    ]


def product_table(crawl: pd.DataFrame, values: Sequence[dict[str, str]]) -> pd.DataFrame:
    """The crawl's columns and the normalised ones; those of `COLUMNS` come first."""
    table = crawl.copy()
    for column in NORMALISED:
        table[column] = [row[column] for row in values]
    rest = [column for column in table.columns if column not in COLUMNS]
    return table[[*COLUMNS, *rest]]


def plain_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Exactly the columns of `COLUMNS`, with lists as JSON."""
    plain = table[list(COLUMNS)].copy()
    for column in ("model_img_urls", "attributes"):
        plain[column] = [json.dumps(list(value), ensure_ascii=False) for value in plain[column]]
    return plain


def one_hot(table: pd.DataFrame) -> pd.DataFrame:
    """The path of the image, and one binary column per value of a normalised column."""
    columns: dict[str, Any] = {"img_path": table["img_path"]}
    for column, value in one_hot_columns():
        columns[f"{column}_{value}"] = (table[column] == value).astype(int)
    return pd.DataFrame(columns)


def attribute_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Number of products with each value of each normalised column: attribute, value, products."""
    counts = [
        (column, value, int((table[column] == value).sum()))
        for column, values in VALUES.items()
        for value in values
    ]
    return pd.DataFrame(counts, columns=["attribute", "value", "products"])


def unknown_words(skus: Sequence[str], readings: Sequence[Reading]) -> pd.DataFrame:
    """Words that the vocabulary does not contain, the most frequent first.

    Columns: where (a normalised column, ``name`` or ``attribute``), word, products, example (SKU).
    """
    products: dict[tuple[str, str], list[str]] = {}
    for sku, reading in zip(skus, readings, strict=True):
        for word in dict.fromkeys(reading.unknown):
            products.setdefault(word, []).append(sku)
    rows = sorted((-len(matches), *word, matches[0]) for word, matches in products.items())
    return pd.DataFrame(
        [(where, word, -count, example) for count, where, word, example in rows],
        columns=["where", "word", "products", "example"],
    )


def write_tables(
    folder: Path,
    table: pd.DataFrame,
    words: pd.DataFrame,
    photos: pd.DataFrame,
    fronts: pd.DataFrame,
) -> None:
    """Write all tables to `folder`, which is replaced as a whole.

    Args:
        folder: output folder.
        table: the labelled products.
        words: from `unknown_words`.
        photos: all photos with their measures.
        fronts: the chosen model photos.

    Raises:
        UserError: if the folder cannot be written.
    """
    files: Mapping[str, pd.DataFrame] = {
        "products.csv": plain_csv(table),
        "one_hot.csv": one_hot(table[table["img_path"] != ""]),
        "attributes.csv": attribute_counts(table),
        "unknown_words.csv": words,
        "photos.csv": photos,
        "model_photos.csv": fronts[["id", "url", "path", "sha256"]],
    }
    with write_folder(folder) as part:
        table.to_parquet(part / "products.parquet", index=False)
        for name, frame in files.items():
            frame.to_csv(part / name, index=False, lineterminator="\n")
