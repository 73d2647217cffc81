"""Reproduction with stages side by side: the order, equality with `dvc repro`, failures, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from latent_atlas.report import reproduction
from tests.conftest import ROOT, run_in

STAGES = """\
stages:
  draw:
    foreach: [a, b, c]
    do:
      cmd: python make.py ${item}
      params: [text]
      deps: [make.py]
      outs: ["out/${item}"]
  join:
    cmd: cat out/a out/b out/c > joined
    deps: [out/a, out/b, out/c]
    outs: [joined]
"""
MAKE = """\
import os, sys, time, yaml
from pathlib import Path
name, params = sys.argv[1], yaml.safe_load(open("params.yaml"))
Path(f"pid-{name}").write_text(str(os.getpid()))
if params["fails"] == name:
    sys.exit(f"error: {name} cannot be made")
time.sleep(params["seconds"])
Path("out").mkdir(exist_ok=True)
Path("out", name).write_text(params["text"] + name)
"""


def dag() -> dict[str, frozenset[str]]:
    names = {"train_x": ["draw"], "evaluate_x": ["train_x"], "draw": [], "short": [], "report": []}
    graph = {name: frozenset(before) for name, before in names.items()}
    return graph | {"report": frozenset(["evaluate_x", "short"])}


def test_the_stage_with_most_work_after_it_comes_first() -> None:
    assert reproduction.order(dag()) == ["draw", "train_x", "evaluate_x", "short", "report"]


def test_stages_after_a_changed_one_are_out_of_date() -> None:
    found = reproduction.out_of_date(dag(), frozenset(["train_x", "elsewhere"]))
    assert found == {
        "train_x": frozenset(),
        "evaluate_x": frozenset(["train_x"]),
        "report": frozenset(["evaluate_x"]),
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "dag"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "make.py").write_text(MAKE)
    parameters(folder)
    run_in(folder, "git", "init", "--quiet")
    run_in(folder, sys.executable, "-m", "dvc", "init", "--quiet")
    return folder


def parameters(folder: Path, text: str = "one", seconds: float = 0, fails: str = "") -> None:
    values = {"text": text, "seconds": seconds, "fails": fails}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.repro", "--jobs", "2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(folder: Path) -> None:
    """Reproduce; all is up to date afterwards."""
    process = start(folder)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    status = run_in(folder, sys.executable, "-m", "dvc", "status")
    assert "up to date" in status.stdout
    assert (folder / "joined").read_text() == "oneaonebonec"


@pytest.mark.slow
def test_a_failing_stage_a_forced_reproduction_and_a_damaged_lock_file(repository: Path) -> None:
    parameters(repository, seconds=1, fails="b")
    process = start(repository)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "[draw@b] error: b cannot be made" in errors
    assert errors.splitlines()[-1].startswith("error: failed to reproduce 'draw@b'")
    assert (repository / "out" / "a").exists()
    assert not (repository / "out" / "c").exists(), "nothing starts after a failure"
    parameters(repository)
    finish(repository)
    lock = repository / "dvc.lock"
    whole = lock.read_text()
    run_in(repository, sys.executable, "-m", "dvc", "repro", "--force")
    assert lock.read_text() == whole
    # DVC was killed in writing it, and no commit has it.
    lock.write_text(whole[: whole.index("md5")])
    finish(repository)
    assert sorted(lock.read_text().splitlines()) == sorted(whole.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("victim", "how"),
    [
        ("parent", signal.SIGINT),
        ("parent", signal.SIGKILL),
        ("worker", signal.SIGKILL),
    ],
)
def test_a_signal_ends_all_processes(repository: Path, victim: str, how: signal.Signals) -> None:
    parameters(repository, seconds=60)
    process = start(repository)
    stages = [psutil.Process(int(wait_for(repository / f"pid-{one}"))) for one in "ab"]
    worker = psutil.Process(stages[0].pid).parent()
    assert worker is not None
    os.kill(process.pid if victim == "parent" else worker.pid, how)
    if victim == "worker":
        stages[1].terminate()  # the other stage would be finished first
    process.communicate(timeout=60)
    assert process.returncode != 0
    _, alive = psutil.wait_procs(stages, timeout=20)
    assert not alive
    parameters(repository)
    finish(repository)


def wait_for(path: Path) -> str:
    """The content of a file, once there is some."""
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until, f"no {path}"
        time.sleep(0.05)
    return path.read_text()
