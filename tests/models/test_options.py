"""Typed options of the models."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from latent_atlas.config.registry import MODELS, options_of
from latent_atlas.config.section import Options
from latent_atlas.models.options.aae import AAEOptions
from latent_atlas.models.options.mixing import DenseAEOptions, MixingOptions
from latent_atlas.models.options.tvae import TVAEOptions
from latent_atlas.models.tvae import DISTANCES, MINING

DEFAULTS = {
    "tcvae": {"images": 10_000},
    "factor_vae": {"gamma": 10.0, "units": 1000, "layers": 6},
    "dip_vae_1": {"off_diagonal": 10.0, "diagonal": 100.0},
    "dip_vae_2": {"off_diagonal": 10.0, "diagonal": 10.0},
    "annealed_vae": {"gamma": 1000.0, "capacity": 25.0, "until": 1.0, "stairs": 0},
    "tvae": {"triplet": 10.0, "margin": 1.0, "distance": "euclidean", "mining": "semi_hard"},
    "aae": {
        "prior": "normal",
        "components": 10,
        "radius": 4.0,
        "hidden": 1000,
        "joint": True,
        "regularisation": 50.0,
        "penalty": 10.0,
        "pace": 1.0,
    },
    "acai": {"interpolation": 0.5, "gamma": 0.2, "maps": 32},
    "dense_ae": {"width": 1.0, "depth": 1.0, "halvings": 6},
    "mixing": {
        "width": 1.0,
        "depth": 1.0,
        "halvings": 6,
        "tau": 0.5,
        "warm_up": 0.0,
        "attention": False,
        "tiles": 2,
        "segments": False,
    },
}


@pytest.mark.parametrize("model", MODELS)
def test_defaults_of_every_model(model: str) -> None:
    assert options_of(model)().model_dump() == DEFAULTS.get(model, {})


@pytest.mark.parametrize(
    ("model", "values", "problem"),
    [
        ("tvae", {"margin": "wide"}, "valid number"),
        ("tvae", {"margin": True}, "valid number"),
        ("tvae", {"distance": 2}, "'euclidean', 'squared' or 'cosine'"),
        ("tvae", {"margn": 2.0}, "Extra inputs"),
        ("aae", {"joint": 1}, "valid boolean"),
        ("aae", {"hidden": 0}, "greater than or equal to 1"),
        ("acai", {"gamma": 1.5}, "less than or equal to 1"),
        ("annealed_vae", {"capacity": float("inf")}, "finite number"),
        ("annealed_vae", {"stairs": -1}, "greater than or equal to 0"),
        ("mixing", {"halvings": 7}, "less than or equal to 6"),
        ("mixing", {"tiles": 1}, "greater than or equal to 2"),
    ],
)
def test_wrong_values_are_refused(model: str, values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        options_of(model).model_validate(values)


def test_an_integer_is_taken_for_a_number() -> None:
    margin = TVAEOptions.model_validate({"margin": 2}).margin
    assert margin == 2.0
    assert isinstance(margin, float)


def test_options_narrow_to_their_class_and_its_bases_only() -> None:
    options: Options = MixingOptions(width=0.5)
    assert DenseAEOptions.of(options).width == 0.5
    with pytest.raises(TypeError, match="found MixingOptions, expected AAEOptions"):
        AAEOptions.of(options)


def test_every_choice_of_the_triplet_vae_is_implemented() -> None:
    for distance in DISTANCES:
        assert TVAEOptions.model_validate({"distance": distance}).distance == distance
    for mining in MINING:
        assert TVAEOptions.model_validate({"mining": mining}).mining == mining
    properties = TVAEOptions.model_json_schema()["properties"]
    assert properties["distance"]["enum"] == list(DISTANCES)
    assert properties["mining"]["enum"] == list(MINING)


def test_options_need_no_pytorch() -> None:
    code = (
        "import sys; from latent_atlas.config.registry import MODELS, options_of; "
        "[options_of(model) for model in MODELS]; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
