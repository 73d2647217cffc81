"""The table of the noise, the measurements that it comes from, and its digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.config import reading
from latent_atlas.config.schema import Params
from latent_atlas.metrics import noise
from latent_atlas.metrics.noise import Noise, digest_of, measurements, read_noise, summarise
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

HEADER = "run,metric,seeds,mean,sd,digest"
ROW = "circles_vae,psnr,5,27.25,0.5,0123456789ab"
VALUES = reading.read(ROOT / "params.yaml")
PARAMS = reading.validate(VALUES, "params.yaml")


def changed(overlay: Mapping[str, Any]) -> Params:
    return reading.validate(reading.merge(VALUES, overlay), "params.yaml")


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "noise.csv"
    rows = [Noise("b", "psnr", 5, 1 / 3, 1e-7, "x"), Noise("a", "ssim", 2, -2.0, 0.0, "y")]
    noise.write_noise(path, rows)
    written = path.read_text()
    assert written.splitlines() == [HEADER, "a,ssim,2,-2,0,y", "b,psnr,5,0.33333,1e-07,x"]
    table = read_noise(path)
    assert table["a.ssim"] == rows[1]
    assert table["b.psnr"].mean == 0.33333
    noise.write_noise(path, reversed(table.values()))
    assert path.read_text() == written, "sorted and rounded once"


def test_no_table_is_an_empty_one(tmp_path: Path) -> None:
    assert read_noise(tmp_path / "noise.csv") == {}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "row 1: found an empty file, expected run,metric,"),
        (["run,metric"], "row 1: found run,metric, expected run,metric,seeds,"),
        ([HEADER, ROW, "a,b"], "row 3: found 'a,b', expected 6 values"),
        ([HEADER, ROW.replace("psnr", "")], "row 2: found 'circles_vae,,5"),
        ([HEADER, ROW, ROW], "row 3: found circles_vae.psnr again, expected each metric once"),
        ([HEADER, ROW.replace(",5,", ",1,")], "seeds: found '1', expected a finite number of at"),
        ([HEADER, ROW.replace(",5,", ",2.5,")], "seeds: found '2.5', expected a whole number"),
        ([HEADER, ROW.replace("27.25", "nan")], "mean: found 'nan', expected a finite number;"),
        ([HEADER, ROW.replace("0.5", "-1")], "sd: found '-1', expected a finite number of at lea"),
        ([HEADER, ROW.replace("0.5", "low")], "row 2: sd: found 'low', expected a finite number"),
        ([HEADER, '"a'], "cannot be read as CSV (unexpected end of data)"),
    ],
)
def test_a_bad_row_is_named_with_the_next_step(
    lines: list[str], problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "noise.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(UserError, match=re.escape(problem)) as error:
        read_noise(path)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).endswith("; run `make noise`")
    assert "\n" not in str(error.value)


def test_every_run_is_measured_by_the_stages_of_the_dag() -> None:
    found = measurements(PARAMS)
    assert {run for one in found for run in one.runs} == set(PARAMS.run_names())
    committed = {path.name for path in (ROOT / "metrics").glob("*.json")}
    untrained = {"products.json", "scenes-neighbours.json"}
    assert {one.path.name for one in found} == committed - untrained


def with_translations() -> Params:
    """Parameters with two translation runs, of which one has the data of the VAE."""
    task = {"from": {"sleeve_length": "short"}, "to": {"sleeve_length": "long"}}
    runs = {
        "sleeves": {"data": "clothes", "model": "cyclegan", "task": task},
        "worn": {"data": "shop", "model": "pix2pix", "pairs": {"target": "shop_worn"}},
    }
    return changed({"runs": {"translation": runs}})


def test_translation_runs_are_measured_by_their_own_stage() -> None:
    params = with_translations()
    found = [one for one in measurements(params) if one.stage == "translation"]
    assert [(one.name, one.runs, one.others) for one in found] == [
        ("sleeves", ("sleeves",), (params.translation.vae,)),
        ("worn", ("worn",), ()),
    ]
    assert found[0].path == Path("metrics/sleeves.json")
    assert [one for one in measurements(params) if one.stage != "translation"] == measurements(
        PARAMS
    )


def test_the_digest_of_a_translation_is_that_of_its_run_and_images() -> None:
    params = with_translations()
    digests = {run: digest_of(params, [run]) for run in ("sleeves", "worn")}
    assert digests["sleeves"] != digests["worn"]
    other = params.model_copy(
        update={"products": params.products.model_copy(update={"valid_share": 0.2})}
    )
    assert digest_of(other, ["worn"]) != digests["worn"]
    assert digest_of(other, ["sleeves"]) == digests["sleeves"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=7))
def test_mean_and_standard_deviation(values: list[float]) -> None:
    (row,) = summarise([{"run_linear.psnr": value} for value in values], "x")
    assert row == ("run_linear", "psnr", len(values), fmean(values), stdev(values), "x")
    assert row.key == "run_linear.psnr"


def test_a_metric_of_one_training_has_no_noise() -> None:
    assert summarise([{"a.psnr": 1.0}, {"a.ssim": 1.0}], "x") == []
    (row,) = summarise([{"a.psnr": 1.0}, {"a.psnr": 3.0, "a.ssim": 1.0}], "x")
    assert row == Noise("a", "psnr", 2, 2.0, stdev([1.0, 3.0]), "x")


@pytest.mark.parametrize(
    ("overlay", "same"),
    [
        ({"seed": 3}, True),
        ({"train": {"checkpoint_seconds": 1.0}}, True),
        ({"evaluate": {"examples": 2}}, True),
        ({"latent_dim": 7}, False),
        ({"scale": "full"}, False),
        ({"data": {"circles_mono": {"valid_share": 0.2}}}, False),
        ({"data": {"circles_mono": {"licence": "MIT"}}}, True),
        ({"data": {"circles_rgb": {"valid_share": 0.2}}}, True),
    ],
)
def test_the_digest_is_that_of_run_and_data(overlay: dict[str, Any], same: bool) -> None:
    digests = {digest_of(params, ["circles_vae"]) for params in (PARAMS, changed(overlay))}
    assert (len(digests) == 1) == same


@pytest.mark.parametrize(
    ("run", "overlay"),
    [
        ("shop_beta_vae", {"products": {"valid_share": 0.2}}),
        ("shop_beta_vae", {"scrape": {"products": {"sample": 50}}}),
        ("scenes_mixing", {"neighbours": {"tiles": 3}}),
    ],
)
def test_images_of_other_stages_are_part_of_the_digest(run: str, overlay: dict[str, Any]) -> None:
    other = {"runs": {"scenes": {"scenes_mixing": {"options": {"tiles": 2}}}}}
    assert digest_of(PARAMS, [run]) != digest_of(changed(overlay | other), [run])


def test_other_code_is_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    current = digest_of(PARAMS, ["circles_vae"])
    row = Noise("circles_vae", "psnr", 5, 1.0, 1.0, current)
    assert noise.other_digests([row], PARAMS) == []
    assert noise.other_digests([row], changed({"latent_dim": 7})) == [row]
    monkeypatch.setattr(loop, "code_digest", lambda _: "other")
    assert noise.other_digests([row], PARAMS) == [row]
