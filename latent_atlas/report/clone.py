"""A temporary clone of the last commit, in which the DAG runs without the workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml

from latent_atlas.config import reading
from latent_atlas.util.console import UserError, say
from latent_atlas.util.files import write_bytes

LOCKS = ("dvc.lock", "data/dvc.lock")
"""The lock files of the DAG."""

_SHOWN = 40
"""Last lines of a log that are shown after a failure."""


def clone(repository: Path, folder: Path, overlay: Path | None) -> None:
    """Clone HEAD of `repository` into `folder`, and merge `overlay` into its params.yaml.

    The clone has a DVC cache of its own. From a shared cache, DVC would restore earlier outputs
    instead of running a stage.

    Raises:
        UserError: if git fails, or the merged parameters are not valid.
    """
    _run(["git", "clone", "--quiet", str(repository), str(folder)], repository, {})
    write_bytes(folder / ".dvc" / "config.local", b"[cache]\n    dir = cache\n")
    if overlay is not None:
        values = reading.merge(reading.read(folder / reading.PARAMS), reading.read(overlay))
        reading.validate(values, str(overlay))
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        write_bytes(folder / reading.PARAMS, text.encode())


def reproduce(folder: Path, repository: Path, jobs: int = 1, log: Path | None = None) -> None:
    """Reproduce the DAG in the clone; relative sources are those of the original `repository`.

    Args:
        folder: the clone.
        repository: where it was cloned from.
        jobs: stages at a time; with 1, `dvc repro` itself runs.
        log: file for what the stages print; None for the terminal.

    Raises:
        UserError: if a stage fails.
    """
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
        "LATENT_ATLAS_ROOT": str(repository.resolve()),
    }
    command = ["dvc", "repro"] if jobs == 1 else ["stages.repro", "--jobs", str(jobs)]
    _run([sys.executable, "-m", *command], folder, environment, log)


def outputs(folder: Path) -> dict[str, str]:
    """The hash of every output in the lock files of the DAG, by path; empty if there are none."""
    locks = [lock for lock in (folder / name for name in LOCKS) if lock.is_file()]
    stages: list[Mapping[str, Any]] = [
        stage for lock in locks for stage in reading.read(lock).get("stages", {}).values()
    ]
    return {out["path"]: str(out["md5"]) for stage in stages for out in stage.get("outs", [])}


def _run(
    command: list[str], folder: Path, environment: Mapping[str, str], log: Path | None = None
) -> None:
    with log.open("wb") if log else nullcontext() as file:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=folder,
            env={**os.environ, **environment},
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT if file else None,
        )
    if done.returncode:
        if log:
            say("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]))
        raise UserError(f"`{' '.join(command[:4])}` failed in {folder} with {done.returncode}")
