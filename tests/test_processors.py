"""Bits on other processors: a small training and its evaluation, emulated and compared."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from latent_atlas.config import reading
from latent_atlas.util import arithmetic
from tests.conftest import ROOT

EMULATOR = shutil.which("qemu-x86_64")

COMMANDS = (
    ("stages.ingest", "digits"),
    ("stages.train", "digits_vae"),
    ("stages.evaluate", "digits_vae"),
    ("stages.draw", "circles_mono"),
    ("stages.train", "circles_vae"),
)

# One process for all, because importing PyTorch takes longer than these trainings under emulation;
# and one core, because the emulator is unreliable with threads.
SCRIPT = f"""
import os, runpy, sys, time
os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
for module, name in {COMMANDS!r}:
    sys.argv = [module, name]
    runpy.run_module(module, run_name="__main__")
    print(f"{{time.process_time():.0f}} s: {{module}} {{name}}", file=sys.stderr, flush=True)
"""


def workspace(folder: Path) -> None:
    """A new folder with small parameters and few images."""
    overlay = reading.read(ROOT / ".ci" / "params.yaml")
    values = reading.merge(reading.read(ROOT / "params.yaml"), overlay)
    values["data"]["circles_mono"] |= {"count": {"sample": 40, "full": 40}, "valid_share": 0.2}
    values["data"]["digits"] |= {"limit": 150}
    values["train"]["epochs"] = {"sample": 1, "full": 1}
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))


def outputs(folder: Path, *emulator: str) -> dict[str, str]:
    """Run `COMMANDS` in a new folder; the SHA-256 of every file that they wrote."""
    workspace(folder)
    done = subprocess.run(
        [*emulator, sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("data", "models", "metrics", "plots")
        for path in sorted((folder / top).rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(EMULATOR is None, reason="needs qemu-x86_64 (Debian's package qemu-user)")
@pytest.mark.skipif(
    arithmetic.not_portable() is not None, reason="needs x86-64 with AVX2 and portable arithmetic"
)
@pytest.mark.parametrize("processor", ["Haswell", "EPYC-Milan"])
def test_an_emulated_processor_gives_the_same_bytes(processor: str, tmp_path: Path) -> None:
    native = outputs(tmp_path / "native")
    assert {"models/circles_vae/weights.safetensors", "metrics/digits_vae.json"} <= set(native)
    assert any(path.endswith(".png") for path in native)
    emulated = outputs(tmp_path / "emulated", str(EMULATOR), "-cpu", processor)
    assert emulated == native
