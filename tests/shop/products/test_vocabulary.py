"""The vocabulary: three hundred texts with their right answers, and words that it does not know."""

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
def test_words_that_only_begin_like_one_that_is_known(
    name: str, description: str, column: str, value: str
) -> None:
    assert _read(name, description=description).values[column] == value


def test_the_texts_are_well_formed() -> None:
    rows = labels.texts()
    assert len(rows) >= 400
    assert {row["language"] for row in rows} == {"de", "en"}
    for row in rows:
        for column, values in VALUES.items():
            assert row[column] in values or (row[column] == "" and column in ("category", "color"))


@pytest.mark.parametrize("language", ["de", "en"])
def test_at_least_98_of_100_texts_are_understood(language: str) -> None:
    rows = [row for row in labels.texts() if row["language"] == language]
    for column, wrong in labels.wrong(rows, VOCABULARY).items():
        assert len(wrong) <= 0.02 * len(rows), (column, wrong)


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
def test_the_head_of_a_german_name_is_its_last_part(name: str, category: str) -> None:
    assert _read(name).values["category"] == category


def test_a_word_of_another_column_does_not_leak() -> None:
    found = _read("Bluse", "Ärmellänge: 3/4-Arm", "Länge: normal").values
    assert (found["sleeve_length"], found["length"]) == ("half", "normal")
    assert _read("Lace-up top", language="en").values["pattern"] == NONE
    assert _read("Lined trousers", language="en").values["neckline"] == NONE


def test_languages_do_not_mix() -> None:
    assert _read("Shirt", language="de").values["category"] == "tops"
    assert _read("Shirt", language="en").values["category"] == "blouses"
    assert _read("Carrot dress", language="en").values["color"] == ""
    assert _read("Bluse", language="fr").values["category"] == "blouses"


def test_a_brand_is_no_colour() -> None:
    assert _read("White Stuff skirt", language="en", brand="White Stuff").values["color"] == ""
    assert _read("White Stuff skirt", "Brand: White Stuff", language="en").values["color"] == ""


def test_the_colour_of_another_garment_is_not_taken() -> None:
    found = _read("Bluse", description="Passt zu schwarzen Jeans. Mit langen Ärmeln.").values
    assert (found["color"], found["sleeve_length"]) == ("", "long")


def test_attributes_beat_the_name_and_the_name_the_description() -> None:
    found = _read("Rotes Kleid", "Farbe: blau", description="Ein Kleid mit Streifen, kurzärmlig.")
    assert (found.values["color"], found.values["pattern"]) == ("blue", "stripes")


def test_unknown_words_are_told_and_known_ones_are_not() -> None:
    found = _read("Damen Bluse Xyzzy 38", "Muster: Quadrille", "Farbe: bunt", "Duft: Flieder, Moos")
    assert ("name", "xyzzy") in found.unknown
    assert ("pattern", "quadrille") in found.unknown
    assert ("attribute", "moos") in found.unknown
    words = {word for _, word in found.unknown}
    assert not words & {"damen", "bluse", "38", "bunt", "flieder"}


def test_what_is_no_garment_of_the_schema_says_so() -> None:
    found = _read("Umhängetasche aus Leder")
    assert (found.values["category"], found.outside) == ("", "tasche")


def test_plain_text() -> None:
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
    found = VOCABULARY.read(ProductText(name, attributes, language=language)).values
    for column, values in VALUES.items():
        assert found[column] in values or (column in ("category", "color") and found[column] == "")


@pytest.mark.parametrize(
    ("part", "changes", "error"),
    [
        ("columns", {"colour": {}}, r"columns\.colour: expected one of"),
        ("columns", {"fit": {"wide": {"de": []}}}, r"columns\.fit\.wide: expected one of"),
        ("columns", {"fit": {"loose": {"de": [3]}}}, r"columns\.fit\.loose\.de\.0"),
        ("keys", {"price": ["preis"]}, r"keys\.price"),
        ("words", {}, "words: Extra inputs"),
    ],
)
def test_faults_of_the_table_are_told(
    tmp_path: Path, part: str, changes: dict[str, Any], error: str
) -> None:
    values = yaml.safe_load(vocabulary.TABLE.read_text(encoding="utf-8"))
    values[part] = {**values.get(part, {}), **changes}
    (tmp_path / "v.yaml").write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UserError, match=error):
        vocabulary.load(tmp_path / "v.yaml")
