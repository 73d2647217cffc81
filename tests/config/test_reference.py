"""The generated reference of all parameters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from latent_atlas.config.reference import attribute_texts, parameter_reference
from latent_atlas.config.registry import MODELS, options_of
from latent_atlas.config.schema import Params
from latent_atlas.config.section import Options, PerRecipe, Section
from latent_atlas.models.options.mixing import MixingOptions
from latent_atlas.util.console import UserError
from stages import parameters
from tests.conftest import ROOT


def sections(schema: type[Section]) -> Iterator[type[Section]]:
    """A section and all sections inside."""
    yield schema
    for field in schema.model_fields.values():
        parts = [field.annotation]
        while parts:
            part = parts.pop()
            parts += get_args(part)
            pair = isinstance(part, type) and issubclass(part, PerRecipe)
            if isinstance(part, type) and issubclass(part, Section) and not pair:
                yield from sections(part)


SCHEMAS = sorted(
    {*sections(Params), *(options_of(model) for model in MODELS)},
    key=lambda schema: schema.__name__,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_parameter_has_a_text(schema: type[Section]) -> None:
    assert set(attribute_texts(schema)) == set(schema.model_fields)


def test_texts_of_a_base_class_are_inherited() -> None:
    texts = attribute_texts(MixingOptions)
    assert texts["width"].startswith("factor on the number of feature maps")
    assert texts["tau"].endswith("only the nearest of the partner images is taken.")


def test_the_committed_reference_is_up_to_date() -> None:
    assert (ROOT / parameters.OUT).read_text(encoding="utf-8") == parameter_reference()


def test_the_reference_has_every_key_type_and_range() -> None:
    text = parameter_reference()
    for schema in SCHEMAS:
        for key, field in schema.model_fields.items() if schema is not Options else ():
            assert f"\n| `{field.alias or key}` | " in text
    assert "| `beta` | number ≥ 0 | required | " in text
    assert "| `classifier_images` | pair of integers ≥ 20 | required | " in text
    assert "| `valid_share` | number ≥ 0 < 1 | `0.1` | " in text
    pair = "a pair {modern: …, published: …} of them"
    assert f"| `learning_rate` | number > 0, or {pair} | required | " in text
    assert "| `prior` | `normal` or `mixture` | `normal` | " in text
    assert "\n## `runs.<family>.<name>`\n" in text
    assert "\n### factor_vae\n" in text


def test_check_fails_for_an_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["parameters", "--check"])
    with pytest.raises(UserError, match=r"parameters\.md: differs from the schema; run `python"):
        parameters.main()
    monkeypatch.setattr(sys, "argv", ["parameters"])
    parameters.main()
    monkeypatch.setattr(sys, "argv", ["parameters", "--check"])
    parameters.main()
    parameters.OUT.write_text("old")
    with pytest.raises(UserError, match=r"parameters\.md: differs"):
        parameters.main()
