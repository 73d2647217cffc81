"""The generated parts of dvc.yaml, and what follows from them for the stages that run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from latent_atlas.config import dag, reading
from latent_atlas.config.registry import MODELS, modules_of
from latent_atlas.util import imports
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

PARAMS = reading.load(ROOT / "params.yaml")
FILES = dag.files()


def stages_of(path: Path) -> dict[str, Any]:
    """Stage name → body, of a dvc.yaml."""
    stages = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    return {name: stage.get("do", stage) for name, stage in stages.items()}


def missing_deps(stage: dict[str, Any], modules: list[str]) -> set[str]:
    """The code that a stage can reach by imports and does not depend on."""
    return set(dag.code_of(modules)) - set(stage["deps"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_generated_parts_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert dag.generate(text, PARAMS, path.name) == text, "run `make dag`"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_stage_depends_on_all_code_that_it_can_reach(path: Path) -> None:
    for name, stage in stages_of(path).items():
        module = stage["cmd"].split()[2]
        assert missing_deps(stage, [module]) == set(), name


@pytest.mark.parametrize("name", PARAMS.run_names())
def test_training_and_evaluation_depend_on_model_and_network(name: str) -> None:
    stages = stages_of(ROOT / "dvc.yaml")
    spec = {run: spec for _, run, spec in PARAMS.runs.items()}[name]
    modules = modules_of(spec.model, spec.network)
    assert missing_deps(stages[f"train_{name}"], modules) == set()
    if name in PARAMS.latent_run_names():
        assert missing_deps(stages[f"evaluate_{name}"], modules) == set()


def test_every_data_file_of_the_package_is_a_dependency() -> None:
    deps = {dep for stage in stages_of(ROOT / "dvc.yaml").values() for dep in stage["deps"]}
    for path in (ROOT / "latent_atlas").rglob("*"):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            parents = [path, *path.parents]
            names = {
                parent.relative_to(ROOT).as_posix() for parent in parents if ROOT in parent.parents
            }
            assert names & deps, path


def test_a_removed_dependency_is_reported() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    without = re.sub(r"^ *- latent_atlas/models/base.py\n", "", text, flags=re.MULTILINE)
    assert without != text
    stages = yaml.safe_load(without)["stages"]
    assert missing_deps(stages["evaluate_circles_vae"], ["stages.evaluate"]) == {
        "latent_atlas/models/base.py"
    }
    assert dag.generate(without, PARAMS, "dvc.yaml") == text


def test_a_new_import_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("latent_atlas", "stages", "studies"):
        shutil.copytree(ROOT / package, tmp_path / package)
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    monkeypatch.setattr(dag, "ROOT", tmp_path)
    store = tmp_path / "latent_atlas" / "data" / "store.py"
    (store.parent / "extra.py").write_text("x = 1\n")
    store.write_text(
        store.read_text().replace("\nimport ", "\nimport latent_atlas.data.extra\nimport ", 1)
    )
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    new = dag.generate(text, PARAMS, "dvc.yaml")
    assert new.count("latent_atlas/data/extra.py") > 10
    assert missing_deps(yaml.safe_load(text)["stages"]["train_circles_ae"], ["stages.train"]) == {
        "latent_atlas/data/extra.py"
    }


def test_a_new_run_changes_no_other_stage() -> None:
    values = reading.read(ROOT / "params.yaml")
    values["runs"]["plain"]["circles_mlp"] = values["runs"]["plain"]["circles_ae"] | {
        "network": "mlp"
    }
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    before = yaml.safe_load(text)["stages"]
    new = dag.generate(text, reading.validate(values, "params.yaml"), "dvc.yaml")
    after = yaml.safe_load(new)["stages"]
    assert set(after) - set(before) == {"train_circles_mlp", "evaluate_circles_mlp"}
    assert {name: after[name] for name in before} == before


def test_a_new_painting_run_joins_the_maps() -> None:
    values = reading.read(ROOT / "params.yaml")
    values["runs"]["paintings"]["paintings_more"] = values["runs"]["paintings"]["paintings_ae"]
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    new = dag.generate(text, reading.validate(values, "params.yaml"), "dvc.yaml")
    before, after = (yaml.safe_load(part)["stages"] for part in (text, new))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"cartography"}
    assert "models/paintings_more" in after["cartography"]["do"]["deps"]


def test_only_the_family_beta_depends_on_beta() -> None:
    stages = stages_of(ROOT / "dvc.yaml")
    with_beta = {name for name, stage in stages.items() if "beta" in stage.get("params", [])}
    assert with_beta == {f"train_{name}" for name in PARAMS.runs.beta}


def test_partner_images_are_a_dependency_of_the_models_that_see_them() -> None:
    stages = stages_of(ROOT / "dvc.yaml")
    for _, name, spec in PARAMS.runs.items():
        neighbours = f"data/{spec.data}-neighbours" in stages[f"train_{name}"]["deps"]
        assert neighbours == MODELS[spec.model].partners


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("stages:\n  # >>> runs\n", "the part 'runs' has no line '# <<<'"),
        ("# >>> rums\n# <<<\n", "found the part 'rums', expected runs, plots, artifacts"),
        ("# >>> code: models.vae\n# <<<\n", "found the code of 'models.vae'"),
    ],
)
def test_a_wrong_marker_is_one_line(text: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        dag.generate(text, PARAMS, "dvc.yaml")


def test_the_text_outside_of_the_markers_is_kept() -> None:
    text = "# head\nstages:\n  # >>> stores\n  - old\n  # <<<\n# tail\n"
    new = dag.generate(text, PARAMS, "dvc.yaml")
    stores = "".join(f"  - data/{name}\n" for name in [*PARAMS.data, "shop"])
    assert new == f"# head\nstages:\n  # >>> stores\n{stores}  # <<<\n# tail\n"
