"""Vocabulary: texts with known values, and words that it does not contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.shop import labels
from latent_atlas.shop.products import vocabulary
from latent_atlas.shop.products.schema import NONE, VALUES
from latent_atlas.shop.products.vocabulary import ProductText, Reading, plain
from latent_atlas.util.console import UserError

VOCABULARY = vocabulary.load()


def _read(name: str, *attributes: str, language: str = "de", **more: Any) -> Reading:
    return VOCABULARY.read(ProductText(name, attributes, language=language, **more))


@pytest.mark.parametrize(
    ("name", "description", "column", "value"),
    [
        ("Bluse Leonie", "", "pattern", NONE),
        ("Leohose", "", "pattern", "print"),
        ("Kleid Karolina", "", "pattern", NONE),
        ("Karobluse", "", "pattern", "print"),
        ("Bluse", "Spitzenqualität aus Italien", "pattern", NONE),
        ("Spitzenbluse", "", "pattern", "lace"),
        ("Bluse blütenweiß", "", "pattern", NONE),
        ("Bluse blütenweiß", "", "color", "white"),
        ("Bluse", "Minimalistisch, für maximalen Tragekomfort", "length", NONE),
        ("Maxikleid", "", "length", "long"),
        ("Minirock", "", "length", "short"),
    ],
)
def test_words_that_only_begin_like_an_entry_do_not_match(
    name: str, description: str, column: str, value: str
) -> None:
    assert _read(name, description=description).values[column] == value


def test_the_texts_have_values_of_the_schema() -> None:
    rows = labels.read_texts()
    assert len(rows) >= 400
    assert {row["language"] for row in rows} == {"de", "en"}
    for row in rows:
        for column, values in VALUES.items():
            assert row[column] in values or (row[column] == "" and column in ("category", "color"))


@pytest.mark.parametrize("language", ["de", "en"])
def test_at_least_98_percent_of_the_texts_give_the_true_values(language: str) -> None:
    rows = [row for row in labels.read_texts() if row["language"] == language]
    for column, errors in labels.errors(rows, VOCABULARY).items():
        assert len(errors) <= 0.02 * len(rows), (column, errors)


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Hemdblusenkleid", "dresses"),
        ("Jeansrock", "skirts"),
        ("Kleid mit Jackenkragen", "dresses"),
        ("Strickjacke", "knitwear"),
        ("Lederjacke", "jackets"),
        ("Jacke zum Kleid", "jackets"),
    ],
)
def test_the_head_of_a_german_name_is_its_last_noun(name: str, category: str) -> None:
    assert _read(name).values["category"] == category


def test_a_keyed_word_counts_only_for_its_column() -> None:
    values = _read("Bluse", "Ärmellänge: 3/4-Arm", "Länge: normal").values
    assert (values["sleeve_length"], values["length"]) == ("half", "normal")
    assert _read("Lace-up top", language="en").values["pattern"] == NONE
    assert _read("Lined trousers", language="en").values["neckline"] == NONE


def test_the_language_decides_between_meanings() -> None:
    assert _read("Shirt", language="de").values["category"] == "tops"
    assert _read("Shirt", language="en").values["category"] == "blouses"
    assert _read("Carrot dress", language="en").values["color"] == ""
    assert _read("Bluse", language="fr").values["category"] == "blouses"


def test_a_brand_is_not_a_colour() -> None:
    assert _read("White Stuff skirt", language="en", brand="White Stuff").values["color"] == ""
    assert _read("White Stuff skirt", "Brand: White Stuff", language="en").values["color"] == ""


def test_a_colour_in_the_description_is_ignored() -> None:
    values = _read("Bluse", description="Passt zu schwarzen Jeans. Mit langen Ärmeln.").values
    assert (values["color"], values["sleeve_length"]) == ("", "long")


def test_attributes_precede_the_name_and_the_name_the_description() -> None:
    reading = _read("Rotes Kleid", "Farbe: blau", description="Ein Kleid mit Streifen, kurzärmlig.")
    assert (reading.values["color"], reading.values["pattern"]) == ("blue", "stripes")


def test_unknown_words_are_listed_without_known_ones() -> None:
    reading = _read(
        "Damen Bluse Xyzzy 38", "Muster: Quadrille", "Farbe: bunt", "Duft: Flieder, Moos"
    )
    assert ("name", "xyzzy") in reading.unknown
    assert ("pattern", "quadrille") in reading.unknown
    assert ("attribute", "moos") in reading.unknown
    words = {word for _, word in reading.unknown}
    assert not words & {"damen", "bluse", "38", "bunt", "flieder"}


def test_a_category_outside_the_schema_is_named() -> None:
    reading = _read("Umhängetasche aus Leder")
    assert (reading.values["category"], reading.outside) == ("", "tasche")


def test_plain_text_has_no_accents_and_punctuation() -> None:
    assert (
        plain("  V-Ausschnitt,  Größe ÉTÉ 3/4-Ärmel 10/2")
        == "v ausschnitt groesse ete 3/4 aermel 10/2"
    )


@given(
    st.text(max_size=80),
    st.lists(st.text(max_size=40), max_size=4),
    st.sampled_from(["de", "en", ""]),
)
def test_any_text_gives_values_of_the_schema(
    name: str, attributes: list[str], language: str
) -> None:
    result = VOCABULARY.read(ProductText(name, attributes, language=language)).values
    for column, values in VALUES.items():
        assert result[column] in values or (
            column in ("category", "color") and result[column] == ""
        )


@pytest.mark.parametrize(
    ("part", "changes", "error"),
    [
        ("columns", {"colour": {}}, r"columns: found 'colour', expected one of"),
        ("columns", {"fit": {"wide": {"de": []}}}, r"columns\.fit: found 'wide', expected one of"),
        ("columns", {"fit": {"loose": {"de": [3]}}}, r"columns\.fit\.loose\.de\.0"),
        ("keys", {"price": ["preis"]}, r"keys: found 'price'"),
        ("words", {}, "words: unknown key"),
    ],
)
def test_invalid_vocabularies_are_refused(
    tmp_path: Path, part: str, changes: dict[str, Any], error: str
) -> None:
    values = yaml.safe_load(vocabulary.TABLE.read_text(encoding="utf-8"))
    values[part] = {**values.get(part, {}), **changes}
    (tmp_path / "v.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UserError, match=error):
        vocabulary.load(tmp_path / "v.yaml")
