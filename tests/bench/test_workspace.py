"""A no-op `dvc repro` is timed only where it is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stages.bench import workspace

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
    figure = workspace.measure(2, repository)
    assert len(figure.rounds) == 2, figure.note
    assert min(figure.rounds) > 0


def test_a_changed_stage_is_named_and_not_run(repository: Path) -> None:
    (repository / "dvc.yaml").write_text(DAG.replace("write(open", "write('2' + open"))
    figure = workspace.measure(2, repository)
    assert not figure.rounds
    assert "copy" in figure.note
    assert (repository / "copy").read_text() == "1"


def test_a_folder_without_dvc(tmp_path: Path) -> None:
    figure = workspace.measure(2, tmp_path)
    assert not figure.rounds
    assert "not inside of a DVC repository" in figure.note
