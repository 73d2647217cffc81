"""params.yaml: validated as a whole, in one line that says what is wrong and what to do."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides  # type: ignore[import-untyped]
from dvc.utils.serialize import load_yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config import reading
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

ART = reading.read(ROOT / "params.yaml")["data"]["paintings"]


@pytest.fixture
def values() -> dict[str, Any]:
    return reading.read(ROOT / "params.yaml")


def put(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    *path, last = key.split(".")
    place = changed
    for part in path:
        place = place[part]
    place[last] = value
    return changed


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("beta", "eight", "params.yaml: beta: found 'eight', expected a number"),
        ("scenes.judged.sample", 2, "scenes.judged: found 2, expected at least 20"),
        ("beta", -1, "beta: found -1, expected greater than or equal to 0"),
        ("beta", float("nan"), "beta: found nan, expected a finite number"),
        ("beta", True, "beta: found True, expected a number"),
        ("train.learning_rate", "1e-3", "YAML reads 1e-3 as text; write 0.001)"),
        ("train.learning_rate", "1e-7", "YAML reads 1e-7 as text; write 0.0000001)"),
        ("train.epochs.sample", "1e3", "an integer (YAML reads 1e3 as text; write 1000)"),
        ("train.learning_rate", "5e-8", "YAML reads 5e-8 as text; write 0.00000005)"),
        ("train.learning_rate", "1e1", "YAML reads 1e1 as text; write 10)"),
        ("latnt_dim", 3, "latnt_dim: unknown key; did you mean 'latent_dim'?"),
        ("seed", 2**32, "seed: found 4294967296, expected less than or equal to 2147483647"),
        ("latent_dim", 0, "latent_dim: found 0, expected greater than or equal to 1"),
        ("data.clothes.hieght", 96, "data.clothes.hieght: unknown key; did you mean 'height'?"),
        ("data.clothes.height", -96, "data.clothes.height: found -96"),
        ("data.clothes.height", 50, "fashion is 50×64; change height and width"),
        ("products.height", 50, "shop is 50×64; change height and width"),
        ("data.clothes.count", None, "data.clothes: source 'drawn:garments' is drawn and needs"),
        ("data.clothes.fit", "zoom", "fit: found 'zoom', expected 'crop', 'pad' or 'stretch'"),
        (
            "data.paintings.valid_share",
            1.0,
            "data.paintings.valid_share: found 1.0, expected less than 1",
        ),
        ("data.Art", {}, "data.Art: found 'Art', expected a name of small letters, digits and _ "),
        ("data.shop", ART, "params.yaml: data: found 'shop', but the folder data/shop is the"),
        ("data.paintings.sha256", "abc", "art.sha256: found 'abc', expected 64 hexadecimal digits"),
        ("scrape.contact", "me", "scrape.contact: found 'me', expected a mail address or a URL"),
        ("train.epochs", 50, "epochs: found 50, expected a pair {sample: …, full: …}"),
        (
            "data.paintings.source",
            "",
            "data.paintings.source: found '', expected at least 1 character",
        ),
        ("cartography.clusters", [4, 6, 8], "found [4, 6, 8], expected at most 2 items"),
        (
            "data.paintings.source",
            False,
            "a string (YAML reads yes, no, on and off so; put a word in",
        ),
        ("beta", ".5e1", "beta: found '.5e1', expected a number (YAML reads .5e1 as text; write 5"),
        ("runs.beta.circles_beta_vae.modle", "vae", "modle: unknown key; did you mean 'model'?"),
        ("paths.runs", ["art_beta_vea"], "paths.runs.0: found 'art_beta_vea', expected one of"),
        ("paths.runs", ["art_beta_vea"], "did you mean 'paintings_beta_vae'?"),
        ("runs.beta.circles_beta_vae.data", "circle_mono", "did you mean 'circles_mono'?"),
        (
            "runs.beta.circles_beta_vae.model",
            "vae",
            "models with a β of any size belong under 'beta'",
        ),
        ("runs.plain.digits_vae", None, "runs.plain.digits_vae"),
        ("runs.plane.digits_vae.latent_dim", 3, "needs latent_dim 2"),
        ("runs.plain.circles_ae.latent_dim", 3, "follows the top-level latent_dim"),
        ("runs.scenes.scenes_mixing.latent_dim", 250, "found 250, expected a multiple of the 256"),
        ("runs.scenes.scenes_mixing.network", "conv", "takes dense or dense_broadcast"),
        ("runs.scenes.scenes_mixing.likelihood", "gaussian", "'mixing' takes laplace"),
        ("runs.scenes.scenes_mixing.options", {"tua": 0.3}, "did you mean 'tau'?"),
        ("runs.scenes.scenes_mixing.options", {"tau": 1.5}, "options.tau: found 1.5, "),
        ("runs.scenes.scenes_mixing.options", {"warm_up": -0.1}, "expected a share from 0 to 1"),
        ("runs.scenes.scenes_mixing.options", {"tiles": 3}, "tiles: found 3, expected a number"),
        ("runs.scenes.scenes_mixing.options", {"halvings": 0}, "halvings: found 0, expected 1"),
        ("runs.scenes.scenes_mixing.options", {"width": -1.0}, "width: found -1.0, expected 0 or"),
        (
            "runs.paintings.paintings_aae.options",
            {"penalty": "1e-3"},
            "penalty: found '1e-3', expected a number like 10.0 (YAML reads 1e-3 as text; write",
        ),
        (
            "runs.paintings.paintings_aae.options",
            {"hidden": 2.5},
            "found 2.5, expected an integer like 1000",
        ),
        (
            "runs.paintings.paintings_aae.options",
            {"hidden": 0},
            "options.hidden: found 0, expected 1 or more",
        ),
        (
            "runs.paintings.paintings_aae.options",
            {"penalty": -1},
            "options.penalty: found -1, expected 0 or",
        ),
        (
            "runs.paintings.paintings_acai.options",
            {"gamma": 2},
            "gamma: found 2, expected a share from 0 to 1",
        ),
        (
            "runs.paintings.paintings_aae.options.hidden",
            float("inf"),
            "hidden: found inf, expected a boolean, an integer, a finite number or a string",
        ),
        ("data.paintings.classes", 1.5, "art.classes: found 1.5, expected a list or an integer"),
        (
            "runs.paintings.paintings_ae",
            3,
            "runs.paintings.paintings_ae: found 3, expected a mapping",
        ),
        ("neighbours.tiles", 4, "found 4, expected 2 or 3"),
        ("runs.plain.circles_ae.likelihood", "laplace", "'ae' takes bernoulli or gaussian"),
        ("loss_weights.adversarial", -0.1, "loss_weights.adversarial: found -0.1"),
        ("train.precision", "fp16", "expected '32-true' or 'bf16-mixed'"),
        ("train.schedule", {0: 0.1}, "train.schedule.0: found 0"),
        ("train.schedule", {"ten": 0.1}, "train.schedule.ten: found 'ten', expected an integer"),
        ("train.batch_size", 2.5, "train.batch_size: found 2.5, expected a"),
        ("scale", "huge", "scale: found 'huge', expected 'sample' or 'full'"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    values: dict[str, Any], key: str, value: object, expected: str
) -> None:
    with pytest.raises(UserError) as caught:
        reading.validate(put(values, key, value), "params.yaml")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_no_text_is_named(values: dict[str, Any]) -> None:
    values["train"][False] = 3  # what YAML makes of `no: 3`
    with pytest.raises(UserError, match=r"train\.\w+: found False, expected a key that is text$"):
        reading.validate(values, "params.yaml")


def test_a_wrong_key_with_a_wrong_value_is_told_by_the_key(values: dict[str, Any]) -> None:
    values["data"]["Art"] = 1
    with pytest.raises(UserError, match=r"data\.Art: found 'Art', expected a name .* letter$"):
        reading.validate(values, "params.yaml")


def test_a_misspelt_key_is_told_before_the_one_that_it_leaves_missing(
    values: dict[str, Any],
) -> None:
    values["train"]["epohcs"] = values["train"].pop("epochs")
    with pytest.raises(UserError, match=r"train\.epohcs: unknown key; did you mean 'epochs'\?"):
        reading.validate(values, "params.yaml")


def test_a_value_of_no_type_of_several_is_one_mistake(values: dict[str, Any]) -> None:
    values["data"]["paintings"]["classes"] = 1.5
    with pytest.raises(UserError, match=r"expected a list or an integer$"):
        reading.validate(values, "params.yaml")
    values["runs"]["paintings"]["paintings_aae"]["options"]["hidden"] = [256]
    with pytest.raises(UserError, match=r"expected a list or an integer \(and 1 more\)$"):
        reading.validate(values, "params.yaml")


def test_the_same_run_in_two_families_is_refused(values: dict[str, Any]) -> None:
    values["runs"]["plane"]["circles_vae"] = values["runs"]["plane"].pop("digits_vae")
    with pytest.raises(UserError, match="'circles_vae' stands in two families"):
        reading.validate(values, "params.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [", "not valid YAML"),
        ("3", "found int"),
        (
            "data:\n  art: {fit: pad, height: 64, fit: crop}",
            "the key 'fit' stands there twice",
        ),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "params.yaml").write_text(content)
    with pytest.raises(UserError, match=expected):
        reading.load(tmp_path / "params.yaml")


@pytest.mark.parametrize(("written", "read"), [("010", 8), ("-0_11", -9), ("1:30", 90)])
def test_a_number_that_dvc_reads_otherwise_is_refused(
    tmp_path: Path, written: str, read: int
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"latent_dim: {written}")
    assert load_yaml(path)["latent_dim"] != read
    expected = (
        f"{written} is {read} here, but not to DVC; write {read}, or put quotes\n +in line 1, "
    )
    with pytest.raises(UserError, match=expected):
        reading.read(path)


@pytest.mark.parametrize("written", ["0", "-0", "00", "+5", "1_000", "0x1f", "0b11"])
def test_a_number_that_dvc_reads_alike_is_taken(tmp_path: Path, written: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"latent_dim: {written}")
    assert reading.read(path) == load_yaml(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params.yaml: cannot be read \(No such file"):
        reading.load(tmp_path / "params.yaml")


def test_beta_reaches_only_the_models_that_have_one(values: dict[str, Any]) -> None:
    loaded = reading.validate(put(values, "beta", 8), "params.yaml")
    betas = {name: loaded.run(name).beta for name in loaded.run_names()}
    assert {name for name, beta in betas.items() if beta == 8} == set(values["runs"]["beta"])
    assert betas["circles_ae"] == betas["circles_sampled_ae"] == 0
    assert betas["circles_vae"] == betas["digits_vae"] == 1


def test_scale_chooses(values: dict[str, Any]) -> None:
    for scale in ("sample", "full"):
        loaded = reading.validate(put(values, "scale", scale), "params.yaml")
        assert loaded.run("circles_vae").epochs == values["train"]["epochs"][scale]
        assert (
            loaded.run("digits_vae").epochs
            == values["runs"]["plane"]["digits_vae"]["epochs"][scale]
        )


def test_an_unknown_run_or_data_set_names_the_nearest() -> None:
    loaded = reading.load(ROOT / "params.yaml")
    with pytest.raises(UserError, match="did you mean 'circles_vae'"):
        loaded.run("circle_vae")
    with pytest.raises(UserError, match="did you mean 'clothes'"):
        loaded.data_set("fashon")


def test_dvc_can_interpolate_the_file() -> None:
    assert "${" not in (ROOT / "params.yaml").read_text(), "`-S` would freeze it"


nested = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from("abc"), nested), st.dictionaries(st.sampled_from("abc"), nested)
)
def test_merge_laws(base: dict[str, Any], overlay: dict[str, Any]) -> None:
    merged = reading.merge(base, overlay)
    assert reading.merge(merged, overlay) == merged
    assert reading.merge(base, {}) == base
    assert set(merged) == set(base) | set(overlay)
    for key, value in overlay.items():
        if not isinstance(value, dict):
            assert merged[key] == value


@pytest.mark.parametrize(
    ("source", "licence"),
    [("drawn:garments", "CC0-1.0"), ("~/photos", "unknown"), ("https://drawn:x@y/a", "unknown")],
)
def test_images_of_others_are_under_no_licence_of_ours(
    values: dict[str, Any], source: str, licence: str
) -> None:
    given = put(put(values, "data.clothes.source", source), "data.clothes.count", None)
    if source.startswith("drawn:"):
        given = values
    assert reading.validate(given, "params.yaml").data["clothes"].known_licence == licence
    mine = put(given, "data.clothes.licence", "CC BY 4.0")
    assert reading.validate(mine, "params.yaml").data["clothes"].known_licence == "CC BY 4.0"


def test_the_small_overlay_is_valid() -> None:
    overlay = yaml.safe_load((ROOT / "ci" / "params.yaml").read_text())
    merged = reading.merge(reading.read(ROOT / "params.yaml"), overlay)
    assert reading.validate(merged, ".ci/params.yaml").run("circles_vae").epochs == 2


def test_models_that_mix_stand_in_the_family_of_scenes() -> None:
    values = reading.read(ROOT / "params.yaml")
    values["runs"]["plane"]["strayed"] = values["runs"]["scenes"].pop("scenes_autoencoder")
    with pytest.raises(UserError, match="dense_ae and mixing belong under 'scenes'"):
        reading.validate(values, "params.yaml")


def test_no_patience_with_a_loss_that_rises(values: dict[str, Any]) -> None:
    values["runs"]["plain"]["circles_vae"]["model"] = "annealed_vae"
    reading.validate(values, "params.yaml")
    with pytest.raises(UserError, match=r"train.patience: found 3, but .* rises .* set it to null"):
        reading.validate(put(values, "train.patience", 3), "params.yaml")


@pytest.mark.parametrize("key", ["my key", "str"])
def test_an_unknown_key_of_any_kind_is_named(values: dict[str, Any], key: str) -> None:
    with pytest.raises(UserError, match=f"params.yaml: {key}: unknown key"):
        reading.validate({**values, key: 1}, "params.yaml")


def test_a_date_that_there_is_not(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("licence: 2024-13-45")
    with pytest.raises(UserError, match=r"not valid YAML .month must be in"):
        reading.load(tmp_path / "params.yaml")


def test_dvc_writes_the_file_back_as_it_is(tmp_path: Path) -> None:
    before = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(before)
    apply_overrides(str(path), ["data.clothes.source=/somewhere/clothes"])
    lines = list(zip(before.splitlines(), path.read_text().splitlines(), strict=True))
    assert [new for old, new in lines if old != new] == ["    source: /somewhere/clothes"]
