"""The runs of params.yaml: model, network, options and family of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from latent_atlas.config import reading
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.models.options.aae import AAEOptions
from latent_atlas.models.options.mixing import MixingOptions
from tests.config.changes import error_of, put
from tests.conftest import ROOT

MIXING = "runs.scenes.scenes_mixing"
AAE = "runs.paintings.paintings_aae"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("runs.beta.circles_beta_vae.modle", "vae", "modle: unknown key; did you mean 'model'?"),
        ("runs.beta.circles_beta_vae.data", "circle_mono", "did you mean 'circles_mono'?"),
        (
            "runs.beta.circles_beta_vae.model",
            "vae",
            "models that take any β belong under 'beta', the others under 'plain'",
        ),
        ("runs.plain.circles_vae.model", "veä", "model: found 'veä', expected one of ae, "),
        ("runs.plain.digits_vae", None, "runs.plain.digits_vae"),
        ("runs.plane.digits_vae.latent_dim", 3, "needs latent_dim 2"),
        ("runs.plain.circles_ae.latent_dim", 3, "follows the top-level latent_dim; remove its own"),
        ("runs.paintings.paintings_ae.latent_dim", None, "needs a latent_dim of its own"),
        ("runs.paintings.paintings_beta_vae.beta", None, "needs a beta of its own"),
        ("runs.plain.circles_vae.beta", 1.0, "has no beta of its own; remove it"),
        ("runs.plain.circles_ae.likelihood", "laplace", "'ae' takes bernoulli or gaussian"),
        (f"{MIXING}.latent_dim", 250, "found 250, expected a multiple of the 256"),
        (f"{MIXING}.network", "conv", "takes dense or dense_broadcast"),
        (f"{MIXING}.likelihood", "gaussian", "'mixing' takes laplace"),
        ("runs.paintings.paintings_ae", 3, "paintings_ae: found 3, expected a mapping"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    assert expected in error_of(put(values, key, value))


@pytest.mark.parametrize(
    ("run", "options", "expected"),
    [
        (MIXING, {"tua": 0.3}, "options: model 'mixing' has no option 'tua'; did you mean 'tau'? "),
        (MIXING, {"tua": 0.3}, "(it has width, depth, halvings, tau, warm_up, attention, tiles, "),
        (MIXING, {"tau": 1.5}, "options.tau: found 1.5, expected less than or equal to 1"),
        (MIXING, {"warm_up": -0.1}, "options.warm_up: found -0.1, expected greater than or equal"),
        (MIXING, {"tiles": 3}, "options: tiles: found 3, expected a number from 2 that divides"),
        (MIXING, {"halvings": 0}, "options.halvings: found 0, expected greater than or equal to 1"),
        (MIXING, {"width": -1.0}, "options.width: found -1.0, expected greater than or equal to 0"),
        (AAE, {"penalty": "1e-3"}, "penalty: found '1e-3', expected a number (YAML reads 1e-3 as"),
        (AAE, {"hidden": 2.5}, f"{AAE}.options.hidden: found 2.5, expected an integer"),
        (AAE, {"hidden": 0}, f"{AAE}.options.hidden: found 0, expected greater than or equal to 1"),
        (AAE, {"hidden": float("inf")}, "options.hidden: found inf, expected an integer"),
        (AAE, {"penalty": -1}, "options.penalty: found -1, expected greater than or equal to 0"),
        (AAE, {"prior": "normla"}, "prior: found 'normla', expected 'normal' or 'mixture'"),
        (AAE, {"joint": 1}, "options.joint: found 1, expected a boolean"),
        (AAE, 3, f"{AAE}.options: found 3, expected a mapping"),
        ("runs.plain.circles_ae", {"a": 1}, "model 'ae' has no option 'a' (it has no options)"),
    ],
)
def test_wrong_options_are_named_in_one_line(
    values: dict[str, Any], run: str, options: object, expected: str
) -> None:
    assert expected in error_of(put(values, f"{run}.options", options))


def test_options_are_typed_and_have_defaults() -> None:
    params = reading.load(ROOT / "params.yaml")
    assert params.runs.scenes["scenes_mixing"].options == MixingOptions(
        width=0.125, depth=0.25, halvings=2, warm_up=0.8
    )
    assert params.run("paintings_aae").options == AAEOptions(hidden=256)


def test_a_run_survives_as_json() -> None:
    params = reading.load(ROOT / "params.yaml")
    for name in params.run_names():
        run = params.run(name)
        values = json.loads(run.model_dump_json())
        assert Run.model_validate_json(json.dumps(values)) == run
        assert values == run.model_dump(mode="json")
        assert all(
            isinstance(value, bool | int | float | str) for value in values["options"].values()
        )


def test_an_older_run_without_an_option_has_its_default() -> None:
    run = reading.load(ROOT / "params.yaml").run("paintings_aae")
    values = run.model_dump(mode="json")
    del values["options"]["penalty"]
    assert Run.model_validate(values) == run


def test_the_same_run_in_two_families_is_refused(values: dict[str, Any]) -> None:
    values["runs"]["plane"]["circles_vae"] = values["runs"]["plane"].pop("digits_vae")
    assert "run 'circles_vae' is in two families; rename one of the two" in error_of(values)


def test_models_that_mix_belong_to_the_family_of_scenes(values: dict[str, Any]) -> None:
    values["runs"]["plane"]["autoencoder"] = values["runs"]["scenes"].pop("scenes_autoencoder")
    assert "dense_ae and mixing belong under 'scenes'" in error_of(values)


def test_every_loss_weight_of_a_model_is_a_key(values: dict[str, Any]) -> None:
    used = {term for entry in MODELS.values() for term in entry.weights}
    assert used == set(values["loss_weights"])
