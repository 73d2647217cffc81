"""Error messages for values of params.yaml: the key, what was found, what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel

from latent_atlas.config.section import IN_WORDS


def key_parts(problem: Mapping[str, Any]) -> list[str]:
    """The keys that lead to a problem, as a person wrote them."""
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    # A union's branches add their type names to the location.
    return [part for part in place if re.fullmatch(r"[\w.-]+", part) and part not in _BRANCHES]


def explain(problems: list[dict[str, Any]], schema: type[BaseModel]) -> str:
    """In a line: the key of problems of one place, what was found, what was expected."""
    problem = problems[0]
    place = key_parts(problem)
    key, kind, found = ".".join(place), problem["type"], problem["input"]
    if kind == "extra_forbidden":
        name = str(problem["loc"][-1])
        section = place[:-1] if place[-1:] == [name] else place
        key = ".".join([*section, name])
        return f"{key}: unknown key{did_you_mean(name, _known_keys(section, schema))}"
    if kind == "missing":
        return f"{key}: missing; the other keys are there, add this one"
    if kind == "value_error":
        text = str(problem["msg"]).removeprefix("Value error, ")
        return f"{key}: {text}" if key else text
    *others, last = dict.fromkeys(_expected(str(one["msg"])) for one in problems)
    expected = f"{', '.join(others)} or {last}" if others else last
    return f"{key}: found {found!r}, expected {expected}{hint(found, expected)}"


def hint(found: object, expected: str = "") -> str:
    """In brackets, what to write where YAML made something else of what stands there."""
    if isinstance(found, str) and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d\d?", found):
        return f" (YAML reads {found} as text; write {Decimal(found):f})"
    if isinstance(found, bool) and expected == "a string":
        return " (YAML reads yes, no, on and off so; put a word in quotes)"
    return ""


def _expected(message: str) -> str:
    """What pydantic expects, without Python's names for it."""
    expected = message.replace("Keys should be strings", "a key that is text")
    expected = expected.replace("Input should be ", "").replace("a valid integer", "an integer")
    expected = expected.replace("a valid ", "a ")
    expected = expected.replace("a dictionary or instance of Scaled", "a pair {sample: …, full: …}")
    expected = re.sub(r"a dictionary( or instance of \w+)?", "a mapping", expected)
    expected = re.sub(r"^\w+ should have (.+?)( after validation, not \d+)?$", r"\1", expected)
    pattern = expected.removeprefix("String should match pattern ").strip("'")
    expected = IN_WORDS.get(pattern, expected)
    return expected.replace("String should match pattern", "text that matches")


_BRANCHES = {"bool", "int", "float", "str", "constrained-int", "Scaled", "nullable"}


def _known_keys(place: list[str], schema: type[BaseModel]) -> list[str]:
    """The keys that the schema allows at `place`."""
    section = schema
    for part in place:
        field = section.model_fields.get(part)
        if field is None:
            continue  # a key that the user chose: a data set's or a run's name
        inner = _section_in(field.annotation)
        if inner is None:
            return []
        section = inner
    return list(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _section_in(part)
        if found is not None:
            return found
    return None


def did_you_mean(name: str, known: Any) -> str:
    """``; did you mean '…'?`` for an unknown name, empty where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
