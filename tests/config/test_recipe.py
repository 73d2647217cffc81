"""The recipe: of all runs, of one run, and the numbers that belong to each."""

from __future__ import annotations

from typing import Any

import pytest

from latent_atlas.config import dag, reading
from tests.config.changes import error_of, put
from tests.conftest import ROOT

RGB = "runs.beta.circles_rgb_beta_vae"


def test_the_recipe_chooses_from_pairs(values: dict[str, Any]) -> None:
    values = put(values, "train.learning_rate", {"modern": 0.25, "published": 0.5})
    for recipe, rate in (("modern", 0.25), ("published", 0.5)):
        run = reading.validate(put(values, "recipe", recipe), "p").run("circles_rgb_beta_vae")
        assert (run.recipe, run.train.learning_rate) == (recipe, rate)
        assert f"{recipe} recipe" in run.title()


def test_a_run_may_have_its_own_recipe_and_numbers(values: dict[str, Any]) -> None:
    values = put(put(values, "recipe", "modern"), f"{RGB}.recipe", "published")
    values = put(values, f"{RGB}.batch_size", {"modern": 7, "published": 9})
    params = reading.validate(put(values, f"{RGB}.learning_rate", 0.125), "p")
    run, other = params.run("circles_rgb_beta_vae"), params.run("circles_beta_vae")
    assert (run.recipe, run.train.batch_size, run.train.learning_rate) == ("published", 9, 0.125)
    assert other.recipe == "modern"
    stages = dag.generate("stages:\n  # >>> runs\n  # <<<\n", params, "dvc.yaml")
    (own,) = (row for row in stages.splitlines() if row.endswith("circles_rgb_beta_vae]"))
    (shared,) = (row for row in stages.splitlines() if row.endswith(".circles_beta_vae]"))
    assert "recipe" not in own
    assert ", recipe, " in shared


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("recipe", "modren", "recipe: found 'modren', expected 'modern' or 'published'"),
        ("train.learning_rate", {"modern": 0.1}, "train.learning_rate.published: required key"),
        ("train.batch_size", {"modern": 2.5, "published": 3}, "batch_size.modern: found 2.5, exp"),
        ("train.batch_size", 0, "train.batch_size: found 0, expected greater than or equal to 1"),
        (f"{RGB}.learning_rate", {"modern": 0, "published": 1}, "learning_rate.modern: found 0"),
        (
            "train.learning_rate",
            {"modren": 0.1, "published": 0.1},
            "train.learning_rate.modren: unknown key; did you mean 'modern'?",
        ),
        ("train.mean_start", True, "train.mean_start: the start at the mean image is part of ev"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    assert expected in error_of(put(values, key, value))


def test_the_pipeline_starts_with_the_modern_recipe() -> None:
    assert reading.load(ROOT / "params.yaml").recipe == "modern"
