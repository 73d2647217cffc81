"""Reading and validation of params.yaml; no other module opens the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from latent_atlas.config.messages import explain, key_parts
from latent_atlas.config.schema import Params
from latent_atlas.config.section import Checked
from latent_atlas.util.console import UserError

PARAMS = Path("params.yaml")


def load(path: Path = PARAMS) -> Params:
    """Read and validate params.yaml.

    Raises:
        UserError: naming the key, what was found and what was expected.
    """
    return validate(read(path), str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a YAML mapping without validating it; raises UserError if it is none."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError) as error:  # no text, or a date that there is not
        reason = str(error).replace('in "<unicode string>", line', "in line")
        raise UserError(f"{path}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: found {type(values).__name__}, expected a mapping of parameters")
    return values


class _Loader(yaml.SafeLoader):
    """PyYAML's, without two things that it reads in silence.

    Of a key that stands in a mapping twice it would take the last value; and 010 is 8 to it and
    1:30 is 90, but 10 and a text to DVC, which would record a value that no stage has used.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; what it merges (``<<``) is no part of it yet."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        found = set[tuple[str, str]]()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in found:
                problem = f"the key {key.value!r} stands there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            found.add((key.tag, key.value))
        return node

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """An integer that DVC reads as the same."""
        value, written = int(self.construct_yaml_int(node)), node.value.replace("_", "")
        decimal = re.fullmatch(r"[+-]?\d+", written)
        if ":" in written or (decimal and int(written) != value):
            problem = f"{node.value} is {value} here, but not to DVC; write {value}, or put quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


def validate(values: Mapping[str, Any], where: str) -> Params:
    """Check all values at once; `where` names the file in the error."""
    return check(Params, values, where)


def check(schema: type[Checked], values: Mapping[str, Any], where: str) -> Checked:
    """Check all values of a file with a schema of its own, e.g. a study's.

    Raises:
        UserError: naming the file `where`, the key, what was found and what was expected.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors(include_url=False)]
        # A key that is missing may only be misspelt; the unknown one names it.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        # A value that fits no branch of a union is one problem, told by as many as it has branches.
        place, value = key_parts(problems[0]), problems[0]["input"]
        first = [one for one in problems if key_parts(one) == place and one["input"] is value]
        more = len({tuple(key_parts(one)) for one in problems}) - 1
        told = f"{where}: {explain(first, schema)}" + (f" (and {more} more)" if more else "")
        raise UserError(told) from None


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `base`, mapping by mapping; other values replace."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def without_runs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a params.yaml, with no runs and no walks: for images that they do not fit."""
    runs: dict[str, Any] = {family: {} for family in values["runs"]}
    return {**values, "runs": runs, "interpolation": {**values["interpolation"], "runs": []}}
