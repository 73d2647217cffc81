"""Portable arithmetic: set up before numerical libraries load, passed on, and checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from latent_atlas.util import arithmetic
from latent_atlas.util.console import UserError
from tests.conftest import ROOT

AVX2 = pytest.mark.skipif(
    arithmetic.not_portable() is not None, reason="needs x86-64 with AVX2 and portable arithmetic"
)


def python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python without the variables of this process."""
    own = {*arithmetic.variables("portable", 1), *environment}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("arithmetic: native\nthreads: 3\n", ("native", 3)),
        ("arithmetic: portable\nthreads: 2\n", ("portable", 2)),
        ("seed: 0\n", ("portable", 1)),
        ("arithmetic: fast\nthreads: 0\n", ("portable", 1)),
        ("threads: true\n", ("portable", 1)),
        ("- a list\n", ("portable", 1)),
        ("a: [\n", ("portable", 1)),
    ],
)
def test_values_of_params_yaml(text: str, expected: tuple[str, int], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    assert arithmetic.read(tmp_path / "params.yaml") == expected


def test_a_missing_file_gives_the_default(tmp_path: Path) -> None:
    assert arithmetic.read(tmp_path / "params.yaml") == ("portable", 1)


def test_the_stages_set_it_up_for_a_process_and_those_that_it_starts(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("arithmetic: portable\nthreads: 2\n")
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    code = f"import stages, subprocess, sys\n{show}\nsys.stdout.flush()\n"
    code += f"subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    done = python(code, tmp_path)
    own, child = (json.loads(line) for line in done.stdout.splitlines())
    expected = arithmetic.variables("portable", 2)
    assert expected.items() <= own.items()
    assert expected.items() <= child.items()


def test_native_arithmetic_removes_the_variables_of_a_parent(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("arithmetic: native\n")
    code = "import json, os, stages; print(json.dumps(dict(os.environ)))"
    values = json.loads(python(code, tmp_path, **arithmetic.PORTABLE).stdout)
    assert not set(arithmetic.PORTABLE) & set(values)
    assert values["OMP_NUM_THREADS"] == "1"


def test_a_library_that_is_loaded_before_is_named_in_one_line(tmp_path: Path) -> None:
    done = python("import numpy, stages", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: arithmetic: found numpy loaded before portable arithmetic"
    )
    assert done.stderr.count("\n") == 1


def test_the_same_values_are_set_up_twice_without_complaint() -> None:
    current = {name: os.environ.get(name) for name in arithmetic.variables("portable", 1)}
    assert current == arithmetic.variables("portable", 1)
    arithmetic.set_up("portable", 1)


@AVX2
def test_the_libraries_use_avx2() -> None:
    import numpy  # noqa: F401 - their kernels are looked up where they are loaded
    import torch

    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    arithmetic.check()


@AVX2
def test_a_variable_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    with pytest.raises(UserError, match="found MKL_CBWR=AVX2, expected AVX2 in portable"):
        arithmetic.check()
    monkeypatch.setenv(arithmetic.VARIABLE, "native")
    arithmetic.check()


def test_wider_features_of_numpy_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    core = import_module("numpy._core._multiarray_umath")
    monkeypatch.setattr(core, "__cpu_dispatch__", ["X86_V3", "X86_V4", "AVX512_ICL"])
    monkeypatch.setattr(core, "__cpu_features__", {"X86_V3": True, "X86_V4": True})
    assert arithmetic._wide_features() == ["X86_V4"]
