"""The plan of a translation study: scales, selection, and one line for each wrong key."""

from __future__ import annotations

from typing import Any

import pytest

from latent_atlas.data.synthetic.garments import LEGAL
from latent_atlas.studies import plan as plans
from latent_atlas.studies.translation import plan
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.studies.translation.conftest import Writer


def test_a_study_with_runs_is_one_of_translation(tiny: Writer) -> None:
    tiny()
    assert plans.is_of_translation("tiny")
    with pytest.raises(UserError, match=r"no study 'tinny'; did you mean 'tiny'\?"):
        plans.is_of_translation("tinny")


def test_the_full_scale_has_its_own_side_and_options(tiny: Writer) -> None:
    tiny()
    sides, widths = [], []
    for scale in ("small", "full"):
        study = plan.load("tiny", scale)
        data = study.data["garments"].at(scale, None)
        sides.append((data.height, data.width))
        runs = study.trainings("red", scale)
        assert [(run.name, run.seed) for run in runs] == [("red_s0", 0), ("red_s1", 1)]
        widths.append(runs[0].options.model_dump()["width"])
    assert sides == [(32, 32), (64, 64)]
    assert widths == [0.0625, 0.125]


def test_batch_size_and_rate_are_those_of_the_paper_unless_given(tiny: Writer) -> None:
    tiny()
    study = plan.load("tiny", "small")
    (noise,), (red, _) = study.trainings("noise", "small"), study.trainings("red", "small")
    assert (noise.train.batch_size, noise.train.learning_rate) == (128, 2e-4)
    assert (red.train.batch_size, red.train.learning_rate) == (16, 2e-4)


def test_the_scale_and_the_source_choose_the_runs(tiny: Writer) -> None:
    tiny()
    study = plan.load("tiny", "small")
    assert study.select("", "small", given=False) == ["red", "noise"]
    assert study.select("", "full", given=False) == ["red", "noise", "grey"]
    assert study.select("grey, red", "small", given=False) == ["grey", "red"]
    assert study.select("", "small", given=True) == ["real"]


@pytest.mark.parametrize(
    ("only", "given", "problem"),
    [
        ("rad", False, r"--only: no run 'rad'; did you mean 'red'\? \(there are red, noise, "),
        ("real", False, r"--only: run 'real' needs images; give --source"),
        ("red", True, r"--only: run 'red' needs its own images; leave out --source"),
    ],
)
def test_a_wrong_selection_is_one_line(tiny: Writer, only: str, given: bool, problem: str) -> None:
    tiny()
    with pytest.raises(UserError, match=problem):
        plan.load("tiny", "small").select(only, "small", given)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"runs": {"red": {"data": "clothes"}}}, r"runs\.red\.data: found 'clothes', expected one"),
        (
            {"runs": {"red": {"full_options": {"widht": 1}}}},
            r"runs\.red: full_options: model 'pix2pix' has no option 'widht'; did you mean 'width'",
        ),
        (
            {"runs": {"red": {"pairs": {"edit": None, "target": "garments"}}}},
            r"runs\.red: pairs\.target: a study has pairs of one data set only",
        ),
        ({"vae": {"latent_dim": None}}, r"vae\.latent_dim: required key is missing"),
        ({"seeds": 1}, r"studies/tiny/study.yaml: seeds: unknown key; did you mean 'seed'\?"),
    ],
)
def test_a_wrong_key_is_one_line(tiny: Writer, changes: dict[str, Any], problem: str) -> None:
    tiny(changes)
    with pytest.raises(UserError, match=problem) as error:
        plan.load("tiny", "small")
    assert "\n" not in str(error.value)


def test_the_study_of_the_repository_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert plans.is_of_translation("translation")
    for scale in ("small", "full"):
        study = plan.load("translation", scale)
        for name in study.runs:
            assert study.trainings(name, scale)
        models = {study.runs[name].model for name in study.select("", scale, given=False)}
        assert len(models) == 7
        seeds = {run.model: run.seeds for run in study.runs.values() if run.table == "Networks"}
        assert [seeds[name] for name in ("stargan", "pix2pix", "cyclegan")] == [3, 3, 3]


def test_the_garments_of_the_study_have_sleeves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    classes = plan.load("translation", "small").data["garments"].classes
    sleeved = [name for name, values in LEGAL.items() if values["sleeve_length"] != ("none",)]
    assert classes == sorted(sleeved)
