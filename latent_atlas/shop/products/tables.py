"""The tables of the products: understood attributes, one binary column a value, unknown words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from latent_atlas.shop.products.schema import COLUMNS, NORMALISED, VALUES, one_hot_columns
from latent_atlas.shop.products.vocabulary import ProductText, Reading, Vocabulary


def read_products(crawl: pd.DataFrame, vocabulary: Vocabulary) -> list[Reading]:
    """Map the words of every row of the crawl's table."""
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
    """The crawl's columns and the normalised ones, those of the data set first."""
    table = crawl.copy()
    for column in NORMALISED:
        table[column] = [row[column] for row in values]
    rest = [column for column in table.columns if column not in COLUMNS]
    return table[[*COLUMNS, *rest]]


def plain_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Exactly the data set's columns, with lists as JSON."""
    plain = table[list(COLUMNS)].copy()
    for column in ("model_img_urls", "attributes"):
        plain[column] = [json.dumps(list(value), ensure_ascii=False) for value in plain[column]]
    return plain


def one_hot(table: pd.DataFrame) -> pd.DataFrame:
    """The image's path, and a binary column for each value of each normalised column."""
    columns: dict[str, Any] = {"img_path": table["img_path"]}
    for column, value in one_hot_columns():
        columns[f"{column}_{value}"] = (table[column] == value).astype(int)
    return pd.DataFrame(columns)


def attribute_counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many products have each value of each normalised column: attribute, value, products."""
    counts = [
        (column, value, int((table[column] == value).sum()))
        for column, values in VALUES.items()
        for value in values
    ]
    return pd.DataFrame(counts, columns=["attribute", "value", "products"])


def unknown_words(skus: Sequence[str], readings: Sequence[Reading]) -> pd.DataFrame:
    """Every word that the vocabulary lacks: where, word, products, example; most frequent first."""
    seen: dict[tuple[str, str], list[str]] = {}
    for sku, reading in zip(skus, readings, strict=True):
        for place in dict.fromkeys(reading.unknown):
            seen.setdefault(place, []).append(sku)
    rows = sorted(((-len(found), *place, found[0]) for place, found in seen.items()))
    return pd.DataFrame(
        [(where, word, -count, example) for count, where, word, example in rows],
        columns=["where", "word", "products", "example"],
    )


def outside_counts(readings: Iterable[Reading]) -> dict[str, int]:
    """Why products have no category: the word that puts them outside the schema → products."""
    reasons = Counter(
        f"{reading.outside}: no category of the schema" if reading.outside else "no known category"
        for reading in readings
        if not reading.values["category"]
    )
    return dict(sorted(reasons.items()))
