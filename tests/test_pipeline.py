"""The DAG: what dvc.yaml says, and one whole run of it on the small overlay."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config import reading, runs
from latent_atlas.metrics.tolerance import flatten, judge
from latent_atlas.studies import plan
from latent_atlas.training import loop
from latent_atlas.util.clone import outputs
from tests.conftest import ROOT, run_in

FILES = ("dvc.yaml", "data/dvc.yaml")
DAG: dict[str, Any] = {
    name: stage
    for file in FILES
    for name, stage in yaml.safe_load((ROOT / file).read_text())["stages"].items()
}
SOURCES = "data/dvc.yaml:sources"
PARAMS = reading.load(ROOT / "params.yaml")


def test_every_data_set_is_drawn_or_ingested() -> None:
    made = DAG["draw"]["foreach"] + DAG["ingest"]["foreach"]
    assert sorted(made) == sorted(PARAMS.data)
    notes = {path for out in DAG["sources"]["outs"] for path in out}
    assert {f"data/{name}.source.json" for name in DAG["ingest"]["foreach"]} <= notes


def test_beta_is_a_parameter_of_the_models_that_have_one_alone() -> None:
    with_beta = {
        name for name, stage in DAG.items() if "beta" in stage.get("do", {}).get("params", [])
    }
    assert with_beta == {"train_beta"}


def test_every_dependency_on_code_exists() -> None:
    for name, stage in DAG.items():
        for path in stage.get("do", stage).get("deps", []):
            if path.startswith("stages/"):
                assert (ROOT / path).exists(), f"{name}: {path}"


def files_of(run: runs.Run) -> set[str]:
    """The modules that the model of `run` is made of, as paths from the root."""
    model = loop.new_model(run, (64, 64, 3))
    files = {Path(inspect.getfile(module)) for module in loop._modules_of(model)}
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.mark.parametrize("name", [name for _, name, _ in PARAMS.runs.items()])
def test_a_training_depends_on_all_code_of_its_model(name: str) -> None:
    run = PARAMS.run(name)
    stage = DAG[f"train_{run.family}"]
    files = files_of(run)
    assert files
    assert files <= set(stage.get("do", stage)["deps"])


@pytest.mark.parametrize("study", plan.names())
def test_a_study_depends_on_all_code_of_its_models(study: str) -> None:
    file = yaml.safe_load((ROOT / "studies" / study / "dvc.yaml").read_text(encoding="utf-8"))
    deps = set(file["stages"][study]["deps"])
    cells = plan.cells(plan.load(study), "small")
    one_of_each = {(cell.run.model, cell.run.network): cell.run for cell in cells}
    for run in one_of_each.values():
        assert files_of(run) <= deps


def stages_run(output: str) -> set[str]:
    """The names of the stages that DVC said it ran."""
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_dag_and_then_one_knob(copied_repository: Path) -> None:
    first = run_in(copied_repository, "dvc", "repro")
    ran = stages_run(first.stdout)
    assert {SOURCES, "report"} <= ran
    for name in PARAMS.latent_run_names():
        folder = copied_repository / "plots" / name
        assert (folder / "strip.png").stat().st_size > 1000
        values = json.loads((copied_repository / "metrics" / f"{name}.json").read_text())
        assert set(values) == {name}
    for path in (copied_repository / "metrics").glob("*.json"):
        for metric, value in flatten(json.loads(path.read_text())).items():
            assert judge(metric, value, value, PARAMS.gate).verdict == "same", metric
    assert (copied_repository / "report" / "index.html").stat().st_size > 10_000

    again = run_in(copied_repository, "dvc", "repro")
    assert stages_run(again.stdout) == {SOURCES}, "an unchanged DAG runs nothing else"
    assert run_in(copied_repository, "git", "status", "--short", "--", "data").stdout == ""

    run_in(copied_repository, "git", "add", "--all")
    run_in(
        copied_repository, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "r"
    )
    before = outputs(copied_repository)
    turned = run_in(copied_repository, "dvc", "exp", "run", "-S", "beta=9")
    family = set(PARAMS.runs.beta)
    expected = {f"{stage}_beta@{name}" for stage in ("train", "evaluate") for name in family}
    assert stages_run(turned.stdout) == expected | {SOURCES, "report"}
    after = outputs(copied_repository)
    changed = {path for path in before if before[path] != after[path]}
    assert {f"models/{name}" for name in family} <= changed
    assert not [path for path in changed if path.startswith("data/")]
