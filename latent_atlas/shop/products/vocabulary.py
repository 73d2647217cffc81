"""Vocabulary: German and English words of shops, mapped to values of the schema.

The words are in ``vocabulary.yaml``, which is extended by hand. Its head explains the notation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from latent_atlas.config.reading import check, read
from latent_atlas.config.section import Section
from latent_atlas.shop.products.schema import NONE, VALUES
from latent_atlas.util.console import UserError

TABLE = Path(__file__).with_name("vocabulary.yaml")
LANGUAGES = ("de", "en")

# Endings that a word may have: lang(e|er|es|en|em), Ärmel(n), dress(es), sleeve(s).
_ENDING = "(?:e[rsnm]?|n|s)?"
_WORD = re.compile(r"\d+/\d+|[a-z0-9]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})

Words = dict[str, list[str]]


class Table(Section):
    """Contents of ``vocabulary.yaml``, whose head explains each part."""

    keys: Words
    ignored_keys: list[str]
    cuts: list[str]
    generic: Words
    columns: dict[str, dict[str, Words]]
    after_key: dict[str, Words] = Field(default_factory=dict)
    ignored: list[str]


@dataclass(frozen=True)
class ProductText:
    """All texts of a shop about a product.

    Attributes:
        name: its title.
        attributes: the shop's list, each ``"key: value"`` or a single word.
        description: running text.
        breadcrumbs: its categories from wide to narrow.
        brand: excluded from the search, so that "White Stuff" is not white.
        language: ``de`` or ``en``; any other text is searched for words of both.
    """

    name: str
    attributes: Sequence[str] = ()
    description: str = ""
    breadcrumbs: Sequence[str] = ()
    brand: str = ""
    language: str = ""


@dataclass(frozen=True)
class Reading:
    """Values derived from the texts of a product.

    Attributes:
        values: column of the schema → value. Without a match, category and colour are ``""`` and
            all other columns ``"none"``.
        unknown: (where, word) of each word that the vocabulary does not contain; where is a
            column, ``"name"`` or ``"attribute"``.
        outside: the word of a category outside the schema ("Jumpsuit"), or ``""``.
    """

    values: dict[str, str]
    unknown: tuple[tuple[str, str], ...] = ()
    outside: str = ""


Meaning = tuple[str, str]
"""A column and a value."""


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    text: str
    meanings: tuple[Meaning, ...]


@dataclass
class _Lexicon:
    """Entries compiled to one regular expression, the longest entries first."""

    pattern: re.Pattern[str]
    meanings: list[tuple[Meaning, ...]] = field(default_factory=list)

    def find(self, text: str) -> list[_Match]:
        return [
            _Match(match.start(), match.end(), match.group(), self.meanings[match.lastindex - 1])
            for match in self.pattern.finditer(text)
            if match.lastindex is not None
        ]


def plain(text: str) -> str:
    """Lower case without accents and punctuation, in which words are compared.

    >>> plain("V-Ausschnitt, 3/4-Ärmel")
    'v ausschnitt 3/4 aermel'
    """
    text = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    text = unicodedata.normalize("NFKD", text)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return " ".join(_WORD.findall(text))


class Vocabulary:
    """The compiled vocabulary.

    Args:
        table: validated contents of ``vocabulary.yaml``.
    """

    def __init__(self, table: Table) -> None:
        self._keys = {plain(key): column for column, keys in table.keys.items() for key in keys}
        self._ignored_keys = {plain(key) for key in table.ignored_keys}
        # The words at which the head of a name ends have no value either.
        self._ignored = {plain(word) for word in (*table.ignored, *table.cuts)}
        self._generic = {
            (column, value) for column, values in table.generic.items() for value in values
        }
        self._cut = re.compile(rf"[,;(|/]\s|\b(?:{'|'.join(table.cuts)})\b", re.IGNORECASE)
        self._known = {
            language: _compile(_entries(table, language)) for language in ("", *LANGUAGES)
        }
        self._after_key = {
            (column, language): _compile(_entries(table, language, column))
            for column in table.columns
            for language in ("", *LANGUAGES)
        }
        # Many products have the same attribute values.
        self._find = lru_cache(maxsize=20_000)(self._search)

    def read(self, text: ProductText) -> Reading:
        """Derive the values of a product from its texts."""
        language = text.language[:2].lower()
        language = language if language in LANGUAGES else ""
        unknown: list[tuple[str, str]] = []
        keyed, loose, brands = self._attributes(text, language, unknown)
        name = _without(plain(text.name), [text.brand, *brands])
        in_name = self._find(name, language, "")
        unknown += [("name", word) for word in self._unmatched(name, in_name)]
        sources: dict[str, list[list[Meaning]]] = {}
        for column in VALUES:
            sources[column] = [keyed.get(column, []), _meanings(in_name), loose]
            if column not in ("category", "color"):
                in_description = self._find(plain(text.description), language, "")
                sources[column].append(_meanings(in_description))
        values = {column: self._choose(column, lists) for column, lists in sources.items()}
        values["category"], outside = self._category(text, language, keyed.get("category", []))
        return Reading(values, tuple(unknown), outside)

    def _attributes(
        self, text: ProductText, language: str, unknown: list[tuple[str, str]]
    ) -> tuple[dict[str, list[Meaning]], list[Meaning], list[str]]:
        """Meanings of attributes by the column of their key, meanings of the others, and brands."""
        keyed: dict[str, list[Meaning]] = {}
        loose: list[Meaning] = []
        brands: list[str] = []
        for attribute in text.attributes:
            key, colon, value = attribute.partition(":")
            key, value = (plain(key), value) if colon else ("", attribute)
            column = self._keys.get(key, "")
            if key in self._ignored_keys:
                continue
            if column == "brand":
                brands.append(value)
                continue
            words = plain(value)
            matches = self._find(words, language, column)
            if column:
                keyed.setdefault(column, []).extend(_meanings(matches))
                if not matches and words:
                    unknown.append((column, words))
            else:
                loose.extend(_meanings(matches))
                unknown += [("attribute", word) for word in self._unmatched(words, matches)]
        return keyed, loose, brands

    def _search(self, words: str, language: str, column: str) -> list[_Match]:
        lexicon = self._after_key[column, language] if column else self._known[language]
        return lexicon.find(words)

    def _choose(self, column: str, sources: Iterable[Iterable[Meaning]]) -> str:
        """The first value of the first source with one; specific values precede generic ones."""
        for source in sources:
            values = [value for name, value in source if name == column and value != NONE]
            specific = [value for value in values if (column, value) not in self._generic]
            if values:
                return (specific or values)[0]
        return NONE if NONE in VALUES[column] else ""

    def _category(self, text: ProductText, language: str, keyed: list[Meaning]) -> tuple[str, str]:
        """The category and, for a product outside the schema, the word that shows it.

        The head of a name is its last noun: a "shirt dress" is a dress, a "Jeansrock" is a skirt.
        """
        name = text.name
        cut = self._cut.search(name, 1)
        heads = [name[: cut.start()], name] if cut else [name]
        for words in [*heads, *reversed(text.breadcrumbs)]:
            categories = [
                (value, match.text)
                for match in self._find(_without(plain(words), [text.brand]), language, "")
                for column, value in match.meanings
                if column == "category"
            ]
            if categories:
                value, word = categories[-1]
                return ("", word) if value == NONE else (value, "")
            if words is heads[-1]:
                for _, value in keyed:
                    return ("", value) if value == NONE else (value, "")
        return "", ""

    def _unmatched(self, words: str, matches: Sequence[_Match]) -> list[str]:
        """Words that no entry matches, without numbers and ignored words."""
        return [
            word.group()
            for word in _WORD.finditer(words)
            if not word.group().replace("/", "").isdecimal()
            and word.group() not in self._ignored
            and not any(word.start() < match.end and match.start < word.end() for match in matches)
        ]


def load(path: Path = TABLE) -> Vocabulary:
    """Read and check the vocabulary.

    Raises:
        UserError: if a column, value or entry is not valid.
    """
    table = check(Table, read(path), str(path))
    for part, columns in (("columns", table.columns), ("after_key", table.after_key)):
        for column, values in columns.items():
            if column not in VALUES:
                raise UserError(
                    f"{path}: {part}: found {column!r}, expected one of {', '.join(VALUES)}"
                )
            for value in values:
                if value not in (*VALUES[column], NONE):
                    raise UserError(
                        f"{path}: {part}.{column}: found {value!r}, expected one of "
                        f"{', '.join(VALUES[column])}; quote values that YAML reads as numbers"
                    )
    for column in table.keys:
        if column not in (*VALUES, "brand"):
            raise UserError(
                f"{path}: keys: found {column!r}, expected one of {', '.join(VALUES)}, brand"
            )
    return Vocabulary(table)


def _entries(table: Table, language: str, column: str = "") -> dict[str, list[Meaning]]:
    """Entry → meanings. Those of `language` come first; of others, only whole words count."""
    entries: dict[str, list[Meaning]] = {}
    order = [language, *(other for other in LANGUAGES if other != language)]
    for name, values in table.columns.items():
        if column and name != column:
            continue
        taken: set[str] = set()
        for source in (code for code in order if code):
            fresh: set[str] = set()
            for value, words in values.items():
                for entry in words.get(source, []):
                    if language and source != language:
                        entry = entry.strip("-")
                    stem = plain(entry)
                    if stem not in taken:
                        fresh.add(stem)
                        entries.setdefault(entry, []).append((name, value))
            taken |= fresh
    for value, words_after in table.after_key.get(column, {}).items():
        for entry in words_after:
            if all(name != column for name, _ in entries.get(entry, [])):
                entries.setdefault(entry, []).append((column, value))
    return entries


def _compile(entries: Mapping[str, list[Meaning]]) -> _Lexicon:
    """Compile entries to one regular expression that tries the longest entry first."""
    merged: dict[str, list[Meaning]] = {}
    open_left, open_right = set(), set()
    for entry, meanings in entries.items():
        stem = plain(entry)
        merged.setdefault(stem, []).extend(meanings)
        if entry.startswith("-"):
            open_left.add(stem)
        if entry.endswith("-"):
            open_right.add(stem)
    ordered = sorted(merged, key=lambda stem: (-len(stem), stem))
    branches = []
    for stem in ordered:
        body = f"{_ENDING} ".join(re.escape(word) for word in stem.split())
        left = "" if stem in open_left else "(?<![a-z0-9/])"
        right = "" if stem in open_right else f"{_ENDING}(?![a-z0-9/])"
        branches.append(f"{left}({body}){right}")
    return _Lexicon(re.compile("|".join(branches)), [tuple(merged[stem]) for stem in ordered])


def _meanings(matches: Iterable[_Match]) -> list[Meaning]:
    return [meaning for match in matches for meaning in match.meanings]


def _without(words: str, names: Iterable[str]) -> str:
    for name in names:
        if brand := plain(name):
            words = re.sub(rf"\b{re.escape(brand)}\b", " ", words)
    return " ".join(words.split())
