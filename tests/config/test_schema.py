"""The schema of params.yaml: ranges, pairs per scale, relations between sections."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet, Mixing
from latent_atlas.util.console import UserError
from tests.config.changes import error_of, put
from tests.conftest import ROOT

PAINTINGS = reading.read(ROOT / "params.yaml")["data"]["paintings"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("beta", -1, "beta: found -1, expected greater than or equal to 0"),
        ("seed", 2**32, "seed: found 4294967296, expected less than or equal to 2147483647"),
        ("latent_dim", 0, "latent_dim: found 0, expected greater than or equal to 1"),
        (
            "mixing.classifier_images.sample",
            2,
            "mixing.classifier_images.sample: found 2, expected greater than or equal to 20",
        ),
        ("mixing.classifier_images.full", 19, "classifier_images.full: found 19, expected greater"),
        ("data.clothes.height", -96, "data.clothes.height: found -96"),
        ("data.clothes.height", 50, "data clothes is 50×64; change height and width"),
        ("products.height", 50, "data shop is 50×64; change height and width"),
        ("data.clothes.count", None, "data.clothes: source 'drawn:garments' is drawn and needs"),
        ("data.clothes.fit", "zoom", "fit: found 'zoom', expected 'crop', 'pad' or 'stretch'"),
        (
            "data.paintings.valid_share",
            1.0,
            "data.paintings.valid_share: found 1.0, expected less than 1",
        ),
        ("data.shop", PAINTINGS, "data: found 'shop', but the folder data/shop belongs to the"),
        (
            "data.paintings.sha256",
            "abc",
            "paintings.sha256: found 'abc', expected 64 hexadecimal digits",
        ),
        ("scrape.contact", "me", "scrape.contact: found 'me', expected a mail address or a URL"),
        (
            "data.paintings.source",
            "",
            "data.paintings.source: found '', expected at least 1 character",
        ),
        ("cartography.clusters", [4, 6, 8], "found [4, 6, 8], expected at most 2 items"),
        ("cartography.clusters", [6, 4], "clusters: found [6, 4], expected the smallest number"),
        ("interpolation.runs", ["paintings_beta_vea"], "did you mean 'paintings_beta_vae'?"),
        ("interpolation.runs", ["x"], "interpolation.runs.0: found 'x', expected one of"),
        ("interpolation.steps", 120, "long_steps: found 100, expected more than the 120 of steps"),
        ("interpolation.reference.sample", 3, "reference.sample: found 3, expected greater than"),
        ("neighbours.tiles", 4, "found 4, expected 2 or 3"),
        ("loss_weights.adversarial", -0.1, "loss_weights.adversarial: found -0.1"),
        ("train.precision", "fp16", "expected '32-true' or 'bf16-mixed'"),
        ("train.schedule", {0: 0.1}, "train.schedule.0: found 0"),
        ("scale", "huge", "scale: found 'huge', expected 'sample' or 'full'"),
        ("gate", {"psnr": {"better": "up"}}, "gate.psnr.better: found 'up', expected 'lower', "),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    assert expected in error_of(put(values, key, value))


@pytest.mark.parametrize("scale", ["sample", "full"])
def test_the_scale_chooses_a_number_of_every_pair(values: dict[str, Any], scale: str) -> None:
    params = reading.validate(put(values, "scale", scale), "params.yaml")
    assert params.train.epochs == values["train"]["epochs"][scale]
    assert params.data["clothes"].count == values["data"]["clothes"]["count"][scale]
    assert params.mixing.classifier_images == values["mixing"]["classifier_images"][scale]
    assert params.run("circles_vae").epochs == values["train"]["epochs"][scale]
    own = values["runs"]["plane"]["digits_vae"]["epochs"][scale]
    assert params.run("digits_vae").epochs == own


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (50, "train.epochs: found 50, expected a pair {sample: …, full: …}"),
        (None, "train.epochs: found None, expected a pair {sample: …, full: …}"),
        ({"sample": 3}, "train.epochs.full: required key is missing; add it"),
        ({"sample": 3, "full": 0}, "train.epochs.full: found 0, expected greater than or equal"),
        ({"sample": 3, "full": 2.5}, "train.epochs.full: found 2.5, expected an integer"),
        ({"sample": True, "full": 3}, "train.epochs.sample: found True, expected an integer"),
        (
            {"smaple": 3, "full": 3},
            "train.epochs.smaple: unknown key; did you mean 'sample'? (and 1 more)",
        ),
    ],
)
def test_both_numbers_of_a_pair_are_checked(
    values: dict[str, Any], value: object, expected: str
) -> None:
    for scale in ("sample", "full"):
        changed = put(put(values, "scale", scale), "train.epochs", value)
        assert error_of(changed).startswith(f"params.yaml: {expected}")


def test_an_optional_pair_is_checked_too(values: dict[str, Any]) -> None:
    expected = "runs.plain.circles_ae.epochs: found 5, expected a pair {sample: …, full: …}"
    assert expected in error_of(put(values, "runs.plain.circles_ae.epochs", 5))
    expected = "runs.plain.circles_ae.epochs.ful: unknown key; did you mean 'full'?"
    pair = {"sample": 1, "ful": 2}
    assert expected in error_of(put(values, "runs.plain.circles_ae.epochs", pair))


def test_sections_made_in_code_take_plain_integers(values: dict[str, Any]) -> None:
    assert DataSet(source="drawn:scenes", height=64, width=64, count=60).count == 60
    section = reading.validate(values, "params.yaml").mixing
    assert Mixing.model_validate(section.model_dump(mode="json")) == section
    with pytest.raises(ValueError, match="greater than or equal to 20"):
        Mixing.model_validate(section.model_dump() | {"classifier_images": 19})


def test_beta_reaches_only_the_models_that_have_one(values: dict[str, Any]) -> None:
    params = reading.validate(put(values, "beta", 8), "params.yaml")
    betas = {name: params.run(name).beta for name in params.run_names()}
    assert {name for name, beta in betas.items() if beta == 8} == set(values["runs"]["beta"])
    assert betas["circles_ae"] == betas["circles_sampled_ae"] == 0
    assert betas["circles_vae"] == betas["digits_vae"] == 1


def test_an_unknown_run_or_data_set_names_the_nearest() -> None:
    params = reading.load(ROOT / "params.yaml")
    with pytest.raises(UserError, match="did you mean 'circles_vae'"):
        params.run("circle_vae")
    with pytest.raises(UserError, match="did you mean 'clothes'"):
        params.data_set("cloths")


@pytest.mark.parametrize(
    ("source", "licence"),
    [("drawn:garments", "CC0-1.0"), ("~/photos", "unknown"), ("https://drawn:x@y/a", "unknown")],
)
def test_the_licence_of_other_images_is_unknown(
    values: dict[str, Any], source: str, licence: str
) -> None:
    changed = put(values, "data.clothes.source", source)
    assert reading.validate(changed, "params.yaml").data["clothes"].known_licence == licence
    own = put(changed, "data.clothes.licence", "CC BY 4.0")
    assert reading.validate(own, "params.yaml").data["clothes"].known_licence == "CC BY 4.0"


def test_the_small_overlay_is_valid() -> None:
    overlay = yaml.safe_load((ROOT / ".ci" / "params.yaml").read_text())
    merged = reading.merge(reading.read(ROOT / "params.yaml"), overlay)
    assert reading.validate(merged, ".ci/params.yaml").run("circles_vae").epochs == 2


def test_patience_is_refused_for_a_loss_that_rises(values: dict[str, Any]) -> None:
    changed = put(values, "runs.plain.circles_vae.model", "annealed_vae")
    reading.validate(changed, "params.yaml")
    message = error_of(put(changed, "train.patience", 3))
    assert "train.patience: found 3, but the loss of runs.plain.circles_vae rises" in message
    assert message.endswith("set it to null")
