"""Error messages for params.yaml: one line with the key, the value and what was expected."""

from __future__ import annotations

from typing import Any

import pytest

from latent_atlas.config import reading
from latent_atlas.config.messages import RENAMED, did_you_mean
from latent_atlas.util.console import UserError
from tests.config.changes import error_of, put


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("beta", "eight", "params.yaml: beta: found 'eight', expected a number"),
        ("beta", float("nan"), "beta: found nan, expected a finite number"),
        ("beta", True, "beta: found True, expected a number"),
        ("beta", ".5e1", "beta: found '.5e1', expected a number (YAML reads .5e1 as text; write 5"),
        ("train.learning_rate", "1e-3", "YAML reads 1e-3 as text; write 0.001)"),
        ("train.learning_rate", "1e-7", "YAML reads 1e-7 as text; write 0.0000001)"),
        ("train.learning_rate", "5e-8", "YAML reads 5e-8 as text; write 0.00000005)"),
        ("train.learning_rate", "1e1", "YAML reads 1e1 as text; write 10)"),
        ("train.epochs.sample", "1e3", "an integer (YAML reads 1e3 as text; write 1000)"),
        ("train.batch_size", 2.5, "train.batch_size: found 2.5, expected a"),
        ("train.schedule", {"ten": 0.1}, "train.schedule.ten: found 'ten', expected an integer"),
        ("latnt_dim", 3, "latnt_dim: unknown key; did you mean 'latent_dim'?"),
        ("data.clothes.hieght", 96, "data.clothes.hieght: unknown key; did you mean 'height'?"),
        ("data.Art", {}, "data.Art: found 'Art', expected a name of small letters, digits and _ "),
        ("data.paintings.classes", 1.5, "classes: found 1.5, expected a list or an integer"),
        ("data.paintings.source", False, "a string (YAML reads yes, no, on and off as booleans; "),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    assert expected in error_of(put(values, key, value))


def test_a_key_that_is_no_text_is_named(values: dict[str, Any]) -> None:
    values["train"][False] = 3  # YAML reads `no: 3` like this
    with pytest.raises(UserError, match=r"train\.\w+: found False, expected a key that is text$"):
        reading.validate(values, "params.yaml")


@pytest.mark.parametrize("key", ["my key", "str"])
def test_an_unknown_key_of_any_kind_is_named(values: dict[str, Any], key: str) -> None:
    assert error_of({**values, key: 1}).startswith(f"params.yaml: {key}: unknown key")


def test_a_wrong_key_is_reported_before_its_wrong_value(values: dict[str, Any]) -> None:
    values["data"]["Art"] = 1
    with pytest.raises(UserError, match=r"data\.Art: found 'Art', expected a name .* letter$"):
        reading.validate(values, "params.yaml")


def test_a_misspelt_key_is_reported_before_the_missing_one(values: dict[str, Any]) -> None:
    values["train"]["epohcs"] = values["train"].pop("epochs")
    assert "train.epohcs: unknown key; did you mean 'epochs'?" in error_of(values)


def test_a_missing_key_is_named(values: dict[str, Any]) -> None:
    del values["train"]["epochs"]
    assert error_of(values) == "params.yaml: train.epochs: required key is missing; add it"


def test_a_value_that_fits_no_type_of_a_union_is_one_problem(values: dict[str, Any]) -> None:
    values["data"]["paintings"]["classes"] = 1.5
    with pytest.raises(UserError, match=r"expected a list or an integer$"):
        reading.validate(values, "params.yaml")
    values["runs"]["paintings"]["paintings_aae"]["options"]["hidden"] = [256]
    with pytest.raises(UserError, match=r"expected a list or an integer \(and 1 more\)$"):
        reading.validate(values, "params.yaml")


@pytest.mark.parametrize(
    ("section", "old", "new"),
    [
        ("", "scenes", "mixing"),
        ("", "paths", "interpolation"),
        ("runs", "art", "paintings"),
        ("mixing", "judged", "classifier_images"),
        ("interpolation", "separated", "auc_images"),
    ],
)
def test_an_old_key_is_refused_with_the_new_name(
    values: dict[str, Any], section: str, old: str, new: str
) -> None:
    place = values[section] if section else values
    place[old] = place.pop(new)
    key = f"{section}.{old}" if section else old
    assert f"{key}: unknown key; it was renamed to '{new}'" in error_of(values)


@pytest.mark.parametrize("old", ["fashion", "art", "coco"])
def test_an_old_data_set_is_refused_with_the_new_name(values: dict[str, Any], old: str) -> None:
    message = f"data: the data set {old!r} was renamed to {RENAMED[old]!r}"
    assert message in error_of(put(values, f"data.{old}", {"source": "pictures"}))
    values["runs"]["paintings"]["paintings_ae"]["data"] = old
    assert f"found {old!r}" in error_of(values)
    assert f"it was renamed to {RENAMED[old]!r}" in error_of(values)


@pytest.mark.parametrize("model", ["ae", "vae", "beta_vae", "tvae", "aae", "acai"])
def test_an_old_run_is_refused_with_the_new_name(values: dict[str, Any], model: str) -> None:
    message = error_of(put(values, "interpolation.runs", [f"art_{model}"]))
    assert f"interpolation.runs.0: found 'art_{model}', expected one of" in message
    assert message.endswith(f"it was renamed to 'paintings_{model}'")
    with pytest.raises(UserError, match=r"'fashion_beta_vae' .* renamed to 'clothes_beta_vae'"):
        reading.validate(values, "params.yaml").run("fashion_beta_vae")


def test_old_loss_weights_are_refused_with_the_new_names(values: dict[str, Any]) -> None:
    values["loss_weights"] = {
        "generation": 1.0,
        "reconstruction": 0.904,
        "adversarial": 0.052,
        "classifier": 0.044,
    }
    expected = "loss_weights.generation: unknown key; it was renamed to 'reconstruction'"
    assert expected in error_of(values)
    del values["loss_weights"]["generation"]
    message = error_of(values)
    assert "loss_weights.mixing_reconstruction: required key is missing; add it. It is" in message
    assert "It was called loss_weights.reconstruction, which is now the weight of auto" in message


def test_a_new_name_is_offered_only_where_it_is_known() -> None:
    assert did_you_mean("coco", ["scenes", "clothes"]) == "; it was renamed to 'scenes'"
    assert did_you_mean("coco", ["clothes"]) == ""
    assert did_you_mean("scenes", ["scene"]) == "; did you mean 'scene'?"
