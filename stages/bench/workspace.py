"""A `dvc repro` that finds nothing to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from stages.bench.figures import Figure, Target

NAME = "dvc repro, nothing to do"
QUICK = Target("at most", 2)


def measure(rounds: int, repository: Path) -> Figure:
    """Seconds of `dvc repro`, if the workspace in `repository` is up to date."""
    why = _not_up_to_date(repository)
    if why:
        return Figure(NAME, "s", (), QUICK, why)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        done = _dvc("repro", repository)
        seconds.append(time.perf_counter() - began)
        if done.returncode:
            return Figure(NAME, "s", (), QUICK, f"failed: {_last_line(done.stderr)}")
    return Figure(NAME, "s", seconds, QUICK, "with the start of Python")


def _not_up_to_date(repository: Path) -> str:
    """Why not, or nothing; a stage that always runs is no reason, nor are the studies."""
    status = _dvc("status --json dvc.yaml", repository)
    if status.returncode:
        return f"not measured: {_last_line(status.stderr)}"
    changed = [
        stage
        for stage, reasons in json.loads(status.stdout).items()
        if reasons != ["always changed"]
    ]
    if not changed:
        return ""
    return f"not measured: {len(changed)} stages have changed ({changed[0]}, …); run dvc repro"


def _dvc(command: str, repository: Path) -> subprocess.CompletedProcess[str]:
    # DVC starts the stages with `python`: this one must come first.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", *command.split()],
        cwd=repository,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
