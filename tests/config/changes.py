"""Changes to the values of params.yaml."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from latent_atlas.config import reading
from latent_atlas.util.console import UserError


def put(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of `values` with another value of the dotted `key`."""
    changed = copy.deepcopy(values)
    *path, last = key.split(".")
    place = changed
    for part in path:
        place = place[part]
    place[last] = value
    return changed


def error_of(values: dict[str, Any]) -> str:
    """The error message of wrong values, which must be one line."""
    with pytest.raises(UserError) as caught:
        reading.validate(values, "params.yaml")
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    return message
