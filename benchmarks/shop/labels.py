"""Accuracy of the vocabulary on product texts: `python -m benchmarks.shop.labels`.

The texts are those the vocabulary was made with (``tests/shop/products/texts.csv``) and later ones,
written independently of it (``benchmarks/shop/fresh_texts.csv``). The program prints the accuracy
by column and language, the wrong values, and every word that the vocabulary does not contain.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from latent_atlas.shop.products import vocabulary
from latent_atlas.shop.products.schema import VALUES
from latent_atlas.shop.products.vocabulary import ProductText, Reading, Vocabulary

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    ROOT / "tests" / "shop" / "products" / "texts.csv",
    Path(__file__).with_name("fresh_texts.csv"),
)

Row = dict[str, str]


def read_texts(paths: Sequence[Path] = FILES) -> list[Row]:
    """Product texts with their true values."""
    rows: list[Row] = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def derive_values(row: Row, words: Vocabulary) -> Reading:
    """The values that the vocabulary derives from a text."""
    attributes = [part.strip() for part in row["attributes"].split(";") if part.strip()]
    return words.read(
        ProductText(row["name"], attributes, row["description"], language=row["language"])
    )


def errors(rows: Sequence[Row], words: Vocabulary) -> dict[str, list[str]]:
    """Column → texts with a wrong value."""
    wrong: dict[str, list[str]] = {column: [] for column in VALUES}
    for row in rows:
        values = derive_values(row, words).values
        for column in VALUES:
            if values[column] != row[column]:
                wrong[column].append(f"{row['name']}: {values[column]!r}, not {row[column]!r}")
    return wrong


def main() -> None:
    """Print accuracies, errors and unknown words."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.shop.labels", description=__doc__
    ).parse_args()
    words = vocabulary.load()
    for path in FILES:
        for language in ("de", "en"):
            rows = [row for row in read_texts([path]) if row["language"] == language]
            wrong = errors(rows, words)
            shares = ", ".join(
                f"{column} {1 - len(texts) / len(rows):.3f}" for column, texts in wrong.items()
            )
            print(f"{path.name}, {language}, {len(rows)} texts: {shares}")
            for column, texts in wrong.items():
                for text in texts:
                    print(f"  {column}: {text}")
    unknown = Counter(
        word for row in read_texts() for word in dict.fromkeys(derive_values(row, words).unknown)
    )
    print(f"{len(unknown)} unknown words, {unknown.total()} occurrences:")
    ranked = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    print(", ".join(f"{word} ({where}) {count}" for (where, word), count in ranked))


if __name__ == "__main__":
    main()
