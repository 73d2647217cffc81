"""Error messages for values of params.yaml: the key, what was found, what was expected."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel

from latent_atlas.config.section import IN_WORDS, PerScale, Scale

RENAMED = {
    "fashion": "clothes",
    "art": "paintings",
    "coco": "scenes",
    "fashion_beta_vae": "clothes_beta_vae",
    **{
        f"art_{model}": f"paintings_{model}"
        for model in ("ae", "vae", "beta_vae", "tvae", "aae", "acai")
    },
    "generation": "reconstruction",
    "scenes": "mixing",
    "paths": "interpolation",
    "judged": "classifier_images",
    "separated": "auc_images",
    "figures": "charts",
    "latents": "latent_spaces",
    "walks": "interpolation",
}
"""Old names of keys, data sets and runs → new ones. A new name is offered only where it is known,
so the data set ``scenes`` and the old section ``scenes`` do not conflict."""

MOVED = {
    "train.mean_start": (
        "the start at the mean image is part of every recipe now; remove the key (the tables of a "
        "study may set mean_start)"
    ),
}
"""Keys that are refused with an explanation, since they have moved elsewhere."""

REQUIRED = {
    "loss_weights.mixing_reconstruction": (
        "the weight of the mixing model, 0.904 by default. It was called "
        "loss_weights.reconstruction, which is now the weight of autoencoders and VAEs (before: "
        "generation)"
    ),
}
"""Keys without which a file may have another meaning → the explanation."""


def key_parts(problem: Mapping[str, Any]) -> list[str]:
    """The keys that lead to a problem, as written in the file."""
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    # A union's branches add their type names to the location.
    return [part for part in place if re.fullmatch(r"[\w.-]+", part) and part not in _BRANCHES]


def explain(problems: list[dict[str, Any]], schema: type[BaseModel]) -> str:
    """One line about the problems of one key: the key, what was found, what was expected."""
    problem = problems[0]
    place = key_parts(problem)
    key, kind, value = ".".join(place), problem["type"], problem["input"]
    if kind == "extra_forbidden":
        name = str(problem["loc"][-1])
        section = place[:-1] if place[-1:] == [name] else place
        key = ".".join([*section, name])
        if key in MOVED:
            return f"{key}: {MOVED[key]}"
        return f"{key}: unknown key{did_you_mean(name, _known_keys(section, schema))}"
    if kind == "missing":
        explanation = f". It is {REQUIRED[key]}" if key in REQUIRED else ""
        return f"{key}: required key is missing; add it{explanation}"
    if kind == "value_error":
        text = str(problem["msg"]).removeprefix("Value error, ")
        return f"{key}: {text}" if key else text
    *others, last = dict.fromkeys(_expected(str(one["msg"])) for one in problems)
    expected = f"{', '.join(others)} or {last}" if others else last
    return f"{key}: found {value!r}, expected {expected}{hint(value, expected)}"


def hint(value: object, expected: str = "") -> str:
    """In brackets, what to write where YAML has read another type than was meant."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d\d?", value):
        return f" (YAML reads {value} as text; write {Decimal(value):f})"
    if isinstance(value, bool) and expected == "a string":
        return " (YAML reads yes, no, on and off as booleans; put a word in quotes)"
    return ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The advice for an unknown name: its new name, the closest known name, or nothing."""
    known = list(known)
    if RENAMED.get(name) in known:
        return f"; it was renamed to {RENAMED[name]!r}"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _expected(message: str) -> str:
    """What pydantic expects, without Python's names for it."""
    expected = message.replace("Keys should be strings", "a key that is text")
    expected = expected.replace("Input should be ", "").replace("a valid integer", "an integer")
    expected = expected.replace("a valid ", "a ")
    expected = re.sub(r"a dictionary( or instance of \w+)?", "a mapping", expected)
    expected = re.sub(r"^\w+ should have (.+?)( after validation, not \d+)?$", r"\1", expected)
    pattern = expected.removeprefix("String should match pattern ").strip("'")
    expected = IN_WORDS.get(pattern, expected)
    return expected.replace("String should match pattern", "text that matches")


_BRANCHES = {"bool", "int", "float", "str", "constrained-int", "nullable", "number", "pair"}


def _known_keys(place: list[str], schema: type[BaseModel]) -> list[str]:
    """The keys that the schema allows at `place`."""
    section = schema
    for part in place:
        field = section.model_fields.get(part)
        if field is None:
            continue  # a name chosen by the user, of a data set or a run
        if _has_scales([field.annotation, *field.metadata]):
            return list(get_args(Scale))
        inner = _section_in(field.annotation)
        if inner is None:
            return []
        section = inner
    return [field.alias or key for key, field in section.model_fields.items()]


def _has_scales(parts: Iterable[Any]) -> bool:
    """Whether an annotation is a pair of numbers, maybe within a union."""
    return any(isinstance(part, PerScale) or _has_scales(get_args(part)) for part in parts)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_section_in(part) for part in get_args(annotation))
    return next((section for section in inner if section is not None), None)
