"""Reference of all parameters in Markdown, generated from the schema.

Types, ranges and defaults come from the fields, texts from the ``Attributes:`` of the docstrings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from latent_atlas.config.registry import MODELS, NETWORKS, TRANSLATORS, options_of, resolve
from latent_atlas.config.runs import RunSpec
from latent_atlas.config.schema import Params
from latent_atlas.config.section import IN_WORDS, NAME, Options, PerRecipe, PerScale, Section

_HEAD = """# Parameters

All keys of `params.yaml`, generated from the schema in `latent_atlas/config` by
`python -m stages.parameters`. The file is validated as a whole before a stage does anything, and an
unknown key is refused. Of a pair `{sample: …, full: …}`, the top-level `scale` chooses one number,
and of a pair `{modern: …, published: …}` the recipe of the run. The values of the pipeline are
in `params.yaml` itself.
"""

_OPTIONS = """## Options of the models

The keys of `runs.<family>.<name>.options` and `runs.translation.<name>.options`.
Options that a run leaves out have their defaults.
"""

_NAMES: dict[type, str] = {int: "integer", float: "number", bool: "boolean", str: "text"}

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def parameter_reference() -> str:
    """The text of ``docs/reference/parameters.md``."""
    parts = [_HEAD, *_sections("", Params, set()), _models(), _OPTIONS]
    schemas = {model: options_of(model) for model in MODELS} | {
        model: resolve(f"options.{entry.options}") for model, entry in TRANSLATORS.items()
    }
    for model, schema in schemas.items():
        if schema is not Options:
            parts.append(_section(f"### {model}", schema))
    return "\n".join(parts)


def attribute_texts(schema: type) -> dict[str, str]:
    """Field → text of the ``Attributes:`` in the docstrings of a class and its bases."""
    texts: dict[str, str] = {}
    for part in reversed([part for part in schema.__mro__ if issubclass(part, Section)]):
        block = inspect.cleandoc(part.__doc__ or "").partition("Attributes:\n")[2]
        for name, text in re.findall(r"^    (\w+): ((?:.|\n {5,})*)", block, re.MULTILINE):
            texts[name] = " ".join(text.split())
    return texts


def _sections(path: str, schema: type[Section], seen: set[type]) -> Iterator[str]:
    """The table of a section, then those of the sections inside."""
    seen.add(schema)
    yield _section(f"## `{path}`" if path else "## Top level", schema)
    for key, field in schema.model_fields.items():
        for inner, named in _inner_sections(field.annotation):
            if inner in seen or inner is Options or issubclass(inner, PerRecipe):
                continue
            parts = [path, "<family>" if inner is RunSpec else _key(key, field)]
            parts.append("<name>" if named else "")
            yield from _sections(".".join(filter(None, parts)), inner, seen)


def _section(heading: str, schema: type[Section]) -> str:
    summary = inspect.cleandoc(schema.__doc__ or "").partition("\n\nAttributes:")[0]
    texts = attribute_texts(schema)
    rows = [
        f"| `{_key(key, field)}` | {_type_of(field)} | {_default(field)} | "
        f"{_cell(texts.get(key, ''))} |"
        for key, field in schema.model_fields.items()
    ]
    table = "\n".join(["| key | type and range | default | |", "| --- | --- | --- | --- |", *rows])
    return f"{heading}\n\n{summary}\n\n{table}\n"


def _models() -> str:
    rows = [
        f"| `{name}` | {'any' if entry.beta is None else format(entry.beta, 'g')} | "
        f"{_list(entry.weights)} | {_list(entry.networks) or 'all'} | "
        f"{_list(entry.likelihoods)} |"
        for name, entry in MODELS.items()
    ]
    head = [
        "| model | β | loss weights | networks | likelihoods |",
        "| --- | --- | --- | --- | --- |",
    ]
    networks = f"Networks: {_list(NETWORKS)}."
    translators = [
        f"| `{name}` | {entry.needs or 'nothing'} | {entry.learning_rate:g} | {entry.batch_size} |"
        for name, entry in TRANSLATORS.items()
    ]
    more = [
        "| translation model | needs | learning rate | batch size |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join(["## Models", "", *head, *rows, "", networks, "", *more, *translators, ""])


def _key(name: str, field: FieldInfo) -> str:
    """The key in the file."""
    return field.alias or name


def _type_of(field: FieldInfo) -> str:
    return _cell(_describe(field.annotation, field.metadata))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section) or value == {}:
        return "see there"
    words = {None: "null", True: "true", False: "false"}
    return f"`{words[value] if value is None or isinstance(value, bool) else value}`"


def _describe(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """A type with its range, in words."""
    metadata = list(metadata)
    scales = [part for part in metadata if isinstance(part, PerScale)]
    if scales:
        return f"pair of integers ≥ {scales[0].least}"
    if any(isinstance(part, AfterValidator) for part in metadata):
        return "name, see Models"
    if any(getattr(part, "pattern", None) == NAME for part in _flat(metadata)):
        return "name"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe(parts[0], [*parts[1:], *metadata])
    return _plain(annotation, origin, parts) + _bounds(metadata)


def _plain(annotation: Any, origin: Any, parts: tuple[Any, ...]) -> str:
    """A type without its range."""
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in parts)
    if origin in (Union, UnionType):
        inner = [part for part in parts if part is not NoneType]
        words = [_describe(part) for part in inner]
        return ", or ".join([*words, *(["null"] if NoneType in parts else [])])
    if origin is list:
        return f"list of {_describe(parts[0])}"
    if origin is tuple:
        return f"list of {len(parts)} × {_describe(parts[0])}"
    if origin is dict:
        return f"mapping {_describe(parts[0])} → {_describe(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        pair = issubclass(annotation, PerRecipe)
        return "a pair {modern: …, published: …} of them" if pair else "section"
    return _NAMES[annotation]


def _bounds(metadata: Iterable[Any]) -> str:
    """Limits of a number, least length, or the description of a pattern."""
    words = ""
    for part in _flat(metadata):
        for name, sign in _BOUNDS.items():
            if hasattr(part, name):
                words += f" {sign} {getattr(part, name)}"
        if isinstance(part, annotated_types.MinLen):
            words += ", not empty"
        elif pattern := getattr(part, "pattern", None):
            words += f": {IN_WORDS[pattern]}"
    return words


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """The constraints of a field, also those that one `pydantic.Field` groups."""
    for part in metadata:
        yield from part.metadata if isinstance(part, FieldInfo) else (part,)


def _inner_sections(annotation: Any) -> Iterator[tuple[type[Section], bool]]:
    """The sections in an annotation, and whether they are values of a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, False
    for part in get_args(annotation):
        for section, named in _inner_sections(part):
            yield section, named or get_origin(annotation) is dict


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    """Text for a cell of a table, with Markdown's code marks."""
    return text.replace("``", "`").replace("|", "\\|")
