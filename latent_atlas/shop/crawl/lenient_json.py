"""JSON as shops write it: values of a text with common errors corrected."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

# A string, or outside of strings a comment, or a comma before a closing bracket. Each token matches
# in one way only, and an unclosed one extends to the end: the time is linear in the length.
_COMMENT = r"(?://[^\n]*(?:\n|\Z)|/\*(?:(?!\*/).)*(?:\*/|\Z))"
_TOKEN = re.compile(
    rf'("(?:[^"\\]|\\.)*(?:"|\\?\Z))|({_COMMENT})|(,(?=(?:\s|{_COMMENT})*[}}\]]))', re.DOTALL
)


def json_values(text: str) -> Iterator[Any]:
    """Yield the JSON values in `text`, with common errors of shops corrected.

    Accepted are byte-order marks, CDATA and HTML comment marks around the text, raw newlines and
    tabs in strings, trailing commas, comments, HTML entities for quotes, and several values in a
    row. Text that is still not JSON yields nothing.
    """
    text = text.strip().lstrip("\ufeff").strip()
    text = re.sub(r"^\s*(//|/\*)?\s*(<!\[CDATA\[|<!--)\s*(\*/)?", "", text)
    text = re.sub(r"((//|/\*)\s*)?(\]\]>|-->)\s*(\*/)?\s*;?$", "", text).strip()
    for repair in (str, _repaired, lambda broken: _repaired(html.unescape(broken))):
        try:
            values = list(_values(repair(text)))
        except (ValueError, RecursionError):
            continue
        yield from values
        return


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    position = 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        rest = re.compile(r"[\s;,]*").match(text, position)
        position = rest.end() if rest else len(text)


def _repaired(text: str) -> str:
    """`text` without comments and trailing commas, and with unknown escapes made literal."""

    def repair(token: re.Match[str]) -> str:
        return re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", token[1]) if token[1] else ""

    return _TOKEN.sub(repair, text)
