"""Cost of DVC: an up-to-date `dvc repro`, and an experiment against its training loops."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.results import Result, Target
from latent_atlas.util.console import Progress

NOTHING = "dvc repro, nothing to do"
QUICK = Target("at most", 1.5)
EXPERIMENT = "dvc exp run -S beta=…, all of it / its training loops"
SLIGHT = Target("at most", 1.25)

_TRAINED = re.compile(r"train \S+: (\d+)/\d+ images, ([\d,.]+) images/s")


def measure_dvc(rounds: int, experiments: int, repository: Path) -> list[Result]:
    """Both results; only if the workspace in `repository` is up to date."""
    why = _not_up_to_date(repository)
    if why:
        return [Result(NOTHING, "s", (), QUICK, why), Result(EXPERIMENT, "×", (), SLIGHT, why)]
    return [_nothing(rounds, repository), _experiment(experiments, repository)]


def _nothing(rounds: int, repository: Path) -> Result:
    """Seconds of `dvc repro`."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        done = _dvc("repro", repository)
        seconds.append(time.perf_counter() - started)
        if done.returncode:
            return Result(NOTHING, "s", (), QUICK, f"failed: {_last_line(done.stderr)}")
    return Result(NOTHING, "s", seconds, QUICK, "with the start of Python")


def _experiment(rounds: int, repository: Path) -> Result:
    """Seconds of an experiment in a temporary folder, over those of its training loops."""
    if not rounds:
        return Result(EXPERIMENT, "×", (), SLIGHT, "not measured: it takes minutes")
    ratios, note = [], ""
    for _ in range(rounds):
        name = f"bench-{time.time_ns()}"
        # A β that was never used: DVC would restore an earlier training from its cache.
        beta = f"{8 + time.time_ns() % 10**6 / 10**9:.9f}"
        started = time.perf_counter()
        lines, failed = _watched(f"exp run --temp --name {name} -S beta={beta}", repository)
        seconds = time.perf_counter() - started
        if failed:
            return Result(EXPERIMENT, "×", (), SLIGHT, f"failed: {_last_line(lines)}")
        removed = _dvc(f"exp remove {name}", repository)
        if removed.returncode:
            why = f"failed to remove {name}: {_last_line(removed.stderr)}"
            return Result(EXPERIMENT, "×", (), SLIGHT, why)
        trained = sum(
            int(images) / float(rate.replace(",", "")) for images, rate in _TRAINED.findall(lines)
        )
        if not trained:
            return Result(EXPERIMENT, "×", (), SLIGHT, "not measured: nothing was trained")
        ratios.append(seconds / trained)
        rest = seconds - trained
        share = SLIGHT.value - 1
        note = (
            f"{seconds:.0f} s, {trained:.0f} s of them in the loops; the other {rest:.0f} s are "
            f"{share:.0%} of {rest / share / 60:.0f} min"
        )
    return Result(EXPERIMENT, "×", ratios, SLIGHT, note)


def _not_up_to_date(repository: Path) -> str:
    """The reason why the workspace is not up to date, or nothing.

    A stage that always runs is no reason, and the studies are not part of it.
    """
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
    """Run DVC and capture its output."""
    return subprocess.run(
        [sys.executable, "-m", "dvc", *command.split()],
        cwd=repository,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def _watched(command: str, repository: Path) -> tuple[str, bool]:
    """Run DVC with a bar of its stages; return its output, and whether it failed."""
    lines = []
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", *command.split()],
        cwd=repository,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process, Progress("bench experiment", None, "stages") as progress:
        for line in process.stdout or ():
            lines.append(line)
            progress.advance(line.startswith("Running stage"))
    return "".join(lines), process.returncode != 0


def _environment() -> dict[str, str]:
    """This environment, with this interpreter as the `python` of the stages."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path}


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
