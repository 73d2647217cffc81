"""Cost of DVC, timed in up-to-date workspaces only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import workspace

TRAINING = """\
import sys, time, yaml
beta = yaml.safe_load(open("params.yaml"))["beta"]
if beta == 9:
    sys.exit("error: beta: found 9")
time.sleep(0.5)
print("train one: 500/500 images, 1,000.0 images/s, 0 s, epoch 1/1", file=sys.stderr)
print("train two: 100/100 images, 1,000.0 images/s, 0 s", file=sys.stderr)
open("model", "w").write(str(beta))
"""

EXPERIMENTS = """\
stages:
  train:
    cmd: python train.py
    params: [beta]
    deps: [train.py]
    outs: [model]
"""

DAG = """\
stages:
  look:
    cmd: python -c "open('seen', 'w').write('1')"
    always_changed: true
    outs: [{seen: {cache: false, persist: true}}]
  copy:
    cmd: python -c "open('copy', 'w').write(open('seen').read())"
    deps: [seen]
    outs: [copy]
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DAG)
    for command in ("init --no-scm --quiet", "repro --quiet"):
        dvc = [sys.executable, "-m", "dvc", *command.split()]
        subprocess.run(dvc, cwd=tmp_path, check=True)
    return tmp_path


def test_seconds_of_an_up_to_date_workspace(repository: Path) -> None:
    nothing, experiment = workspace.measure_dvc(2, 0, repository)
    assert len(nothing.rounds) == 2, nothing.note
    assert min(nothing.rounds) > 0
    assert not experiment.rounds


def test_a_changed_stage_is_named_and_not_run(repository: Path) -> None:
    (repository / "dvc.yaml").write_text(DAG.replace("write(open", "write('2' + open"))
    for result in workspace.measure_dvc(2, 1, repository):
        assert not result.rounds
        assert "copy" in result.note
    assert (repository / "copy").read_text() == "1"


def test_a_folder_without_dvc(tmp_path: Path) -> None:
    for result in workspace.measure_dvc(2, 1, tmp_path):
        assert not result.rounds
        assert "not inside of a DVC repository" in result.note


def _run(command: str, folder: Path) -> str:
    words = command.split()
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    """A repository, in git as well, with a stage that says it trained for 0.6 seconds."""
    dvc = f"{sys.executable} -m dvc"
    for name, text in {
        "train.py": TRAINING,
        "dvc.yaml": EXPERIMENTS,
        "params.yaml": "beta: 4\n",
    }.items():
        (tmp_path / name).write_text(text)
    for command in (
        "git init --quiet",
        "git config user.name nobody",
        "git config user.email nobody@example.org",
        f"{dvc} init --quiet",
        f"{dvc} repro --quiet",
        "git add --all",
        "git commit --quiet --message all",
    ):
        _run(command, tmp_path)
    return tmp_path


@pytest.mark.slow
def test_an_experiment_around_its_training(experiments: Path) -> None:
    _, result = workspace.measure_dvc(1, 2, experiments)
    assert len(result.rounds) == 2, result.note
    assert min(result.rounds) > 0.5 / 0.6
    assert "s, 1 s of them in the loops; the other " in result.note
    # Nothing of it stays: no experiment, no change of the workspace.
    assert _run(f"{sys.executable} -m dvc exp list --name-only", experiments).split() == []
    assert _run("git status --short", experiments) == ""
    assert (experiments / "model").read_text() == "4"


@pytest.mark.slow
def test_an_experiment_that_fails_or_trains_nothing(experiments: Path) -> None:
    script = experiments / "train.py"
    for change, note in (
        (TRAINING.replace("beta == 9", "beta > 4"), "failed: "),
        (TRAINING.replace("images/s", "things/s"), "not measured: nothing was trained"),
    ):
        script.write_text(change)
        _run(f"{sys.executable} -m dvc repro --quiet", experiments)
        _, result = workspace.measure_dvc(1, 1, experiments)
        assert not result.rounds
        assert note in result.note
