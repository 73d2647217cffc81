"""The DAG: dvc.yaml against params.yaml, and one whole run on the small overlay."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.report.clone import outputs
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
    states = {path for out in DAG["sources"]["outs"] for path in out}
    assert {f"data/{name}.source.json" for name in DAG["ingest"]["foreach"]} <= states


def test_every_dependency_on_code_exists() -> None:
    for name, stage in DAG.items():
        for path in stage.get("do", stage)["deps"]:
            if path.startswith(("stages/", "latent_atlas/")):
                assert (ROOT / path).exists(), f"{name}: {path}"


def test_every_stage_has_a_description() -> None:
    for name, stage in DAG.items():
        assert stage.get("do", stage).get("desc"), name


def stages_run(output: str) -> set[str]:
    """The names of the stages that DVC said it ran."""
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_dag_and_then_one_parameter(copied_repository: Path) -> None:
    first = run_in(copied_repository, "dvc", "repro")
    assert {SOURCES, "report"} <= stages_run(first.stdout)
    for name in PARAMS.latent_run_names():
        folder = copied_repository / "plots" / name
        assert (folder / "strip.png").stat().st_size > 1000
        values = json.loads((copied_repository / "metrics" / f"{name}.json").read_text())
        assert set(values) == {name}
    assert (copied_repository / "report" / "index.html").stat().st_size > 10_000

    again = run_in(copied_repository, "dvc", "repro")
    assert stages_run(again.stdout) == {SOURCES}, "an unchanged DAG runs nothing else"
    status = run_in(copied_repository, "git", "status", "--short", "--", "data").stdout
    assert status == "?? data/dvc.lock\n", "git ignores all outputs below data/"

    run_in(copied_repository, "git", "add", "--all")
    run_in(
        copied_repository, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "r"
    )
    _one_parameter(copied_repository)
    _a_new_model(copied_repository)


def _one_parameter(repository: Path) -> None:
    """A changed β trains and evaluates the runs of the family ``beta`` alone."""
    before = outputs(repository)
    changed_run = run_in(repository, "dvc", "exp", "run", "-S", "beta=9")
    family = set(PARAMS.runs.beta)
    expected = {f"{stage}_{name}" for stage in ("train", "evaluate") for name in family}
    assert stages_run(changed_run.stdout) == expected | {SOURCES, "report"}
    after = outputs(repository)
    changed = {path for path in before if before[path] != after[path]}
    assert {f"models/{name}" for name in family} <= changed
    assert not [path for path in changed if path.startswith("data/")]


def _a_new_model(repository: Path) -> None:
    """A model, its network and its run add two stages; no other stage is out of date."""
    models = repository / "latent_atlas" / "models"
    (models / "new_ae.py").write_text((models / "ae.py").read_text())
    (models / "networks" / "new.py").write_text((models / "networks" / "mlp.py").read_text())
    registry = repository / "latent_atlas" / "config" / "registry.py"
    model, network = '    "ae": ModelEntry("ae:AE", beta=0.0),\n', '    "mlp": NetworkEntry('
    new_network = '    "new": NetworkEntry("networks.new:MlpEncoder", "networks.new:MlpDecoder"),\n'
    text = registry.read_text()
    text = text.replace(
        model, model + model.replace("ae:AE", "new_ae:AE").replace('"ae"', '"new_ae"')
    )
    registry.write_text(text.replace(network, new_network + network))
    params = reading.read(repository / "params.yaml")
    run = params["runs"]["plain"]["circles_ae"] | {"model": "new_ae", "network": "new"}
    params["runs"]["plain"]["circles_new"] = run
    (repository / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run_in(repository, sys.executable, "-m", "stages.dag")
    status = run_in(repository, "dvc", "status", "--json", "dvc.yaml").stdout
    changed = json.loads(status[status.index("{") :])
    assert set(changed) == {"train_circles_new", "evaluate_circles_new", "report"}
