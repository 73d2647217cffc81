"""Reading and validation of params.yaml; no other module opens the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from latent_atlas.config.messages import explain, key_parts
from latent_atlas.config.schema import Params
from latent_atlas.config.section import Checked, Scale
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
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid YAML ({error})") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse a YAML mapping; raises UserError, which begins with `where`, if it is none."""
    try:
        values = yaml.load(text, _Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date
        reason = str(error).replace('in "<unicode string>", line', "in line")
        raise UserError(f"{where}: not valid YAML ({reason})") from None
    if not isinstance(values, dict):
        raise UserError(f"{where}: found {type(values).__name__}, expected a mapping of parameters")
    return values


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which refuses two things that the original accepts silently.

    Of a key that a mapping has twice, the original takes the last value. It reads 010 as 8 and 1:30
    as 90, but DVC reads 10 and a text, and would record a value that no stage has used.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping; keys that it merges (``<<``) are not part of it yet."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set[tuple[str, str]]()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if (key.tag, key.value) in seen:
                problem = f"the mapping has the key {key.value!r} twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add((key.tag, key.value))
        return node

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Construct an integer that DVC reads as the same number."""
        value, written = int(self.construct_yaml_int(node)), node.value.replace("_", "")
        decimal = re.fullmatch(r"[+-]?\d+", written)
        if ":" in written or (decimal and int(written) != value):
            problem = f"{node.value} is {value} here, but not to DVC; write {value}, or put quotes"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


def validate(values: Mapping[str, Any], where: str) -> Params:
    """Validate all values at once; `where` names the file in the error."""
    scale = values.get("scale")
    return check(Params, values, where, scale if scale in get_args(Scale) else "sample")


def check(
    schema: type[Checked], values: Mapping[str, Any], where: str, scale: Scale | None = None
) -> Checked:
    """Validate all values of a file with a schema of its own, e.g. that of a study.

    Args:
        schema: of the file.
        values: of the file.
        where: name of the file, for error messages.
        scale: the value that is taken of a pair ``{sample: …, full: …}``; None where `values` come
            from a loaded object, which has plain integers.

    Raises:
        UserError: naming the file `where`, the key, what was found and what was expected.
    """
    try:
        return schema.model_validate(values, context={"scale": scale})
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors(include_url=False)]
        # A missing key may only be misspelt; the message about the unknown key comes first.
        problems.sort(key=lambda problem: problem["type"] == "missing")
        # A value that fits no branch of a union is one problem, with an entry for each branch.
        place, value = key_parts(problems[0]), problems[0]["input"]
        first = [one for one in problems if key_parts(one) == place and one["input"] is value]
        more = len({tuple(key_parts(one)) for one in problems}) - 1
        message = f"{where}: {explain(first, schema)}" + (f" (and {more} more)" if more else "")
        raise UserError(message) from None


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `overlay` into `base`, mapping by mapping; other values replace those of `base`."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def without_runs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a params.yaml without runs, for images that the runs do not fit."""
    runs: dict[str, Any] = {family: {} for family in values["runs"]}
    return {
        **values,
        "runs": runs,
        "interpolation": {**values["interpolation"], "runs": []},
        "translation": {**values["translation"], "vae": None},
    }
