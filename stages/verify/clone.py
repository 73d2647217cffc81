"""A temporary clone in which the DAG runs with nothing of the workspace but its commit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.lib import params
from stages.lib.console import UserError
from stages.lib.files import write_bytes


def clone(repository: Path, folder: Path, overlay: Path | None) -> None:
    """Clone HEAD of `repository` into `folder`, and lay `overlay` over its params.yaml.

    Raises:
        UserError: if git fails, or the overlaid parameters are not valid.
    """
    _run(["git", "clone", "--quiet", str(repository), str(folder)], repository, {})
    if overlay is not None:
        values = params.merge(params.read(folder / params.PARAMS), params.read(overlay))
        params.validate(values, str(overlay))
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        write_bytes(folder / params.PARAMS, text.encode())


def reproduce(folder: Path, repository: Path) -> None:
    """Run `dvc repro` in the clone; relative sources are those of the original `repository`.

    Raises:
        UserError: if a stage fails.
    """
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
        "LATENT_ATLAS_ROOT": str(repository.resolve()),
    }
    _run([sys.executable, "-m", "dvc", "repro"], folder, environment)


def outputs(folder: Path) -> dict[str, str]:
    """The hash of every output in ``dvc.lock``, by path; empty if there is no lock."""
    lock = folder / "dvc.lock"
    if not lock.is_file():
        return {}
    stages: Mapping[str, Any] = params.read(lock).get("stages", {})
    return {
        out["path"]: str(out["md5"]) for stage in stages.values() for out in stage.get("outs", [])
    }


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603
        command,
        cwd=folder,
        env={**os.environ, **environment},
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise UserError(f"`{' '.join(command[:4])}` failed in {folder} with {done.returncode}")
