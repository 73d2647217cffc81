"""The translation runs of params.yaml: one clear line for each wrong value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config import dag, reading
from latent_atlas.config.registry import TRANSLATORS
from latent_atlas.util.console import UserError
from tests.config.changes import error_of, put
from tests.conftest import ROOT

RUN = "runs.translation.sleeves"
TASK = {"from": {"sleeve_length": "short"}, "to": {"sleeve_length": "long"}}
CYCLEGAN = {"data": "clothes", "model": "cyclegan", "task": TASK}


def with_run(values: dict[str, Any], **run: Any) -> dict[str, Any]:
    return put(values, "runs.translation", {"sleeves": CYCLEGAN | run})


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (
            {"model": "cyclegn"},
            f"{RUN}.model: found 'cyclegn', expected one of dcgan, cgan, pix2pix, cyclegan, "
            "stargan, munit, fader; did you mean 'cyclegan'?",
        ),
        (
            {"task": None},
            f"{RUN}: model 'cyclegan': found none of task, attributes and pairs, expected task",
        ),
        (
            {"attributes": ["color"]},
            f"{RUN}: model 'cyclegan': found task and attributes, expected task",
        ),
        ({"model": "stargan"}, f"{RUN}: model 'stargan': found task, expected attributes"),
        ({"model": "dcgan"}, f"{RUN}: model 'dcgan': found task, expected none of them"),
        ({"options": {"widht": 1}}, "model 'cyclegan' has no option 'widht'; did you mean 'width'"),
        (
            {"model": "pix2pix", "task": None, "pairs": {"edit": {"a": "b"}, "input": "grey"}},
            f"{RUN}.pairs: found edit and input, expected exactly one of edit, input, target",
        ),
        (
            {"model": "pix2pix", "task": None, "pairs": {}},
            f"{RUN}.pairs: found none, expected exactly one of",
        ),
        (
            {"model": "pix2pix", "task": None, "pairs": {"input": "edge"}},
            f"{RUN}.pairs.input: found 'edge', expected 'edges' or 'grey'",
        ),
        (
            {"task": {"form": {"a": "b"}, "to": {"a": "c"}}},
            f"{RUN}.task.form: unknown key; did you mean 'from'?",
        ),
        ({"task": {"from": {}, "to": {"a": "c"}}}, f"{RUN}.task.from: found {{}}, expected"),
        ({"data": "cloths"}, f"{RUN}.data: found 'cloths', expected one of"),
        (
            {"model": "pix2pix", "task": None, "pairs": {"target": "cloths"}},
            f"{RUN}.pairs.target: found 'cloths', expected one of",
        ),
        (
            {"model": "pix2pix", "task": None, "pairs": {"target": "paintings"}},
            "give both the same size and channels",
        ),
        ({"data": "digits"}, "data digits is 28×28, expected sides from 32 to 256 pixels"),
        ({"batch_size": 0}, f"{RUN}.batch_size: found 0, expected greater than or equal to 1"),
        ({"epochs": 5}, f"{RUN}.epochs: found 5, expected a pair"),
    ],
)
def test_a_wrong_run_is_named_in_one_line(
    values: dict[str, Any], run: dict[str, Any], expected: str
) -> None:
    assert expected in error_of(with_run(values, **run))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("translation.vae", "circle_vae", "translation.vae: found 'circle_vae', expected null or"),
        ("translation.outputs", 1, "translation.outputs: found 1, expected greater than or equal"),
        ("translation.images.full", 0, "translation.images.full: found 0"),
        ("train.patience", 3, f"the losses of {RUN} do not fall with better images"),
        ("data.clothes.width", 512, "is 96×512, expected sides from 32 to 256 pixels"),
    ],
)
def test_wrong_values_elsewhere_are_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    assert expected in error_of(put(with_run(values), key, value))


def test_grey_images_have_no_grey_inputs(values: dict[str, Any]) -> None:
    grey = put(values, "data.clothes.channels", 1)
    run = {"model": "pix2pix", "task": None, "pairs": {"input": "grey"}}
    assert "pairs.input: data clothes is grey already" in error_of(with_run(grey, **run))


def test_names_are_unique_over_all_families(values: dict[str, Any]) -> None:
    wrong = put(values, "runs.translation", {"circles_ae": CYCLEGAN})
    assert "run 'circles_ae' is under 'translation' and under 'plain'; rename" in error_of(wrong)


def test_a_run_has_the_rates_of_its_paper_unless_it_sets_its_own(values: dict[str, Any]) -> None:
    run = reading.validate(with_run(values), "params.yaml").translation_run("sleeves")
    entry = TRANSLATORS["cyclegan"]
    assert (run.train.batch_size, run.train.learning_rate) == (
        entry.batch_size,
        entry.learning_rate,
    )
    assert (run.family, run.recipe, run.seed) == ("translation", "published", values["seed"])
    own = with_run(values, batch_size=7, learning_rate=0.5, epochs={"sample": 3, "full": 9})
    run = reading.validate(own, "params.yaml").translation_run("sleeves")
    assert (run.train.batch_size, run.train.learning_rate, run.epochs) == (7, 0.5, 3)


def test_translation_runs_are_in_no_family(values: dict[str, Any]) -> None:
    params = reading.validate(with_run(values), "params.yaml")
    assert "sleeves" not in params.run_names()
    assert params.training("sleeves") == params.translation_run("sleeves")
    assert params.training("circles_ae") == params.run("circles_ae")
    with pytest.raises(UserError, match=r"no run 'sleeve' in params\.yaml; did you mean 'sleeves'"):
        params.training("sleeve")
    with pytest.raises(UserError, match=r"no run 'circles_ae' under runs\.translation"):
        params.translation_run("circles_ae")


def test_without_runs_there_is_no_translation_either(values: dict[str, Any]) -> None:
    params = reading.validate(reading.without_runs(with_run(values)), "params.yaml")
    assert params.runs.translation == {}
    assert params.translation.vae is None


def test_a_translation_run_adds_two_stages_and_changes_no_other(values: dict[str, Any]) -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    params = reading.validate(with_run(values), "params.yaml")
    before, after = (
        yaml.safe_load(part)["stages"] for part in (text, dag.generate(text, params, "dvc.yaml"))
    )
    assert set(after) - set(before) == {"train_sleeves", "translation_sleeves"}
    assert {name: after[name] for name in before} == before
    train, scored = after["train_sleeves"], after["translation_sleeves"]
    model = "latent_atlas/models/translation/cyclegan.py"
    assert {"data/clothes", model, "latent_atlas/training/translation.py"} <= set(train["deps"])
    assert "runs.translation.sleeves" in train["params"]
    assert {"models/sleeves", "models/clothes_beta_vae", model} <= set(scored["deps"])
    assert Path("latent_atlas/models/networks/conv.py").as_posix() in scored["deps"]


def test_the_targets_of_pairs_are_a_dependency(values: dict[str, Any]) -> None:
    more = put(values, "data.photos", values["data"]["clothes"])
    run = with_run(more, model="pix2pix", task=None, pairs={"target": "photos"})
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    new = dag.generate(text, reading.validate(run, "params.yaml"), "dvc.yaml")
    stages = yaml.safe_load(new)["stages"]
    for stage in ("train_sleeves", "translation_sleeves"):
        assert "data/photos" in stages[stage]["deps"]


def test_model_photos_are_made_where_a_run_has_them_as_targets(values: dict[str, Any]) -> None:
    run = with_run(values, data="shop", model="pix2pix", task=None, pairs={"target": "shop_worn"})
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    new = dag.generate(text, reading.validate(run, "params.yaml"), "dvc.yaml")
    before, after = (yaml.safe_load(part)["stages"] for part in (text, new))
    added = {"model_photos", "train_sleeves", "translation_sleeves"}
    assert set(after) - set(before) == added
    assert {name: after[name] for name in before} == before
    stage = after["model_photos"]
    assert stage["outs"] == ["data/shop_worn"]
    code = {"stages/model_photos.py", "latent_atlas/shop/products/worn.py"}
    assert {"data/crawl", "data/products", "data/shop", *code} <= set(stage["deps"])
    assert "data/shop_worn" in after["train_sleeves"]["deps"]


def test_the_store_of_model_photos_is_no_data_set(values: dict[str, Any]) -> None:
    wrong = put(values, "data.shop_worn", values["data"]["clothes"])
    assert "the folder data/shop_worn belongs to the crawl" in error_of(wrong)
