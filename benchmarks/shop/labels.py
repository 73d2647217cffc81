"""How well shops' words are understood: ``python -m benchmarks.shop.labels``.

Prints for each column and language the share of right values on the texts of ``texts.csv`` and
``fresh_texts.csv`` (written later, without regard to the vocabulary), what was wrong, and every
word that the vocabulary lacks.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from latent_atlas.shop.products import vocabulary
from latent_atlas.shop.products.schema import VALUES
from latent_atlas.shop.products.vocabulary import ProductText, Reading, Vocabulary

FILES = ("texts.csv", "fresh_texts.csv")

Row = dict[str, str]


def texts(names: Sequence[str] = FILES) -> list[Row]:
    """Product texts with their right answers."""
    rows: list[Row] = []
    for name in names:
        with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return rows


def read(row: Row, words: Vocabulary) -> Reading:
    """What the vocabulary makes of a text."""
    attributes = [part.strip() for part in row["attributes"].split(";") if part.strip()]
    return words.read(
        ProductText(row["name"], attributes, row["description"], language=row["language"])
    )


def wrong(rows: Sequence[Row], words: Vocabulary) -> dict[str, list[str]]:
    """Column → the texts whose value is not the right one."""
    found: dict[str, list[str]] = {column: [] for column in VALUES}
    for row in rows:
        values = read(row, words).values
        for column in VALUES:
            if values[column] != row[column]:
                told = f"{row['name']}: {values[column]!r}, not {row[column]!r}"
                found[column].append(told)
    return found


def main() -> None:
    """Print everything."""
    words = vocabulary.load()
    for name in FILES:
        for language in ("de", "en"):
            rows = [row for row in texts([name]) if row["language"] == language]
            errors = wrong(rows, words)
            shares = ", ".join(
                f"{column} {1 - len(texts) / len(rows):.3f}" for column, texts in errors.items()
            )
            print(f"{name}, {language}, {len(rows)} texts: {shares}")
            for column, told in errors.items():
                for text in told:
                    print(f"  {column}: {text}")
    unknown: dict[tuple[str, str], int] = {}
    for row in texts():
        for place in dict.fromkeys(read(row, words).unknown):
            unknown[place] = unknown.get(place, 0) + 1
    print(f"{len(unknown)} unknown words, in {sum(unknown.values())} places:")
    ranked = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    print(", ".join(f"{word} ({where}) {count}" for (where, word), count in ranked))


if __name__ == "__main__":
    main()
