"""The instructions and threads that numerical libraries compute with, so that bits repeat.

NumPy, PyTorch, oneDNN, MKL, OpenBLAS and faiss choose their kernels by the processor, and divide
sums among threads by the number of cores. Both change the last bits of a sum, and a training
amplifies them. With ``arithmetic: portable`` every library takes the kernels that all x86-64
processors with AVX2 have; with ``native`` each takes the fastest ones. The number of threads is a
parameter in both cases.

The libraries read environment variables when they are loaded. So ``stages/__init__.py`` calls
`set_up` before, with the values of params.yaml. Processes that it starts inherit the variables.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import yaml

from latent_atlas.util.console import UserError

Arithmetic = Literal["portable", "native"]

VARIABLE = "LATENT_ATLAS_ARITHMETIC"
"""Environment variable with the arithmetic that `set_up` has set up."""

PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",  # its AVX2 differs between the processors of Intel and AMD
    "OPENBLAS_CORETYPE": "Haswell",
    "FAISS_OPT_LEVEL": "avx2",
    "FAISS_SIMD_LEVEL": "AVX2",
    # All names of features above AVX2: they differ between NumPy's versions, which ignore others.
    "NPY_DISABLE_CPU_FEATURES": (
        "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"
    ),
}
"""Environment variables of portable arithmetic."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment variables for the number of threads."""

_LIBRARIES = ("numpy", "torch", "faiss", "scipy")
"""Packages that read the variables when they are loaded."""


def read(path: Path = Path("params.yaml")) -> tuple[Arithmetic, int]:
    """The arithmetic and the number of threads in params.yaml, which is not validated here.

    A file or value that is wrong gives the default; the command that validates the file, after
    this, reports the error.
    """
    try:
        values = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError):
        values = None
    values = values if isinstance(values, dict) else {}
    threads = values.get("threads")
    return (
        "native" if values.get("arithmetic") == "native" else "portable",
        threads if type(threads) is int and threads > 0 else 1,
    )


def variables(arithmetic: Arithmetic, threads: int) -> dict[str, str]:
    """The environment variables of an arithmetic with this number of threads."""
    return {
        **(PORTABLE if arithmetic == "portable" else {}),
        **dict.fromkeys(THREADS, str(threads)),
        "OMP_DYNAMIC": "false",  # OpenMP may otherwise take fewer threads on a busy machine
        VARIABLE: arithmetic,
    }


def set_up(arithmetic: Arithmetic, threads: int) -> None:
    """Set the environment variables of this process and of all that it starts.

    Raises:
        UserError: if a library has already read other values.
    """
    wanted = variables(arithmetic, threads)
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    loaded = [name for name in _LIBRARIES if name in sys.modules]
    if loaded:
        raise UserError(
            f"arithmetic: found {loaded[0]} loaded before {arithmetic} arithmetic with {threads} "
            f"threads was set up; import `stages` before {loaded[0]}"
        )
    if arithmetic == "native":  # those of a portable parent process
        for name in PORTABLE:
            os.environ.pop(name, None)
    os.environ.update(wanted)


def check() -> None:
    """Check that the libraries loaded so far compute as `set_up` wanted.

    Raises:
        UserError: if portable arithmetic is set up, and a library uses other kernels.
    """
    problem = not_portable() if os.environ.get(VARIABLE) == "portable" else None
    if problem is not None:
        raise UserError(
            f"arithmetic: found {problem}, expected AVX2 in portable arithmetic; set arithmetic to "
            "native in params.yaml, and compare results of this machine only"
        )


def not_portable() -> str | None:
    """The reason why this process does not compute portably, or None.

    The kernels in use are looked up, because the names of NumPy's features differ between its
    versions. Only x86-64 has a portable arithmetic; for other processors there is nothing to check.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    problems = [
        f"{name}={os.environ[name]}" if name in os.environ else f"{name} not set"
        for name, value in PORTABLE.items()
        if os.environ.get(name) != value
    ]
    if "numpy" in sys.modules:
        problems += [f"NumPy with {feature}" for feature in _wide_features()]
    if "torch" in sys.modules:
        import torch

        capability = torch.backends.cpu.get_cpu_capability()
        problems += [f"PyTorch with {capability}"] if capability != "AVX2" else []
    return ", ".join(problems) or None


def _wide_features() -> list[str]:
    """The sets of instructions beyond AVX2 that NumPy has kernels for and uses here."""
    core: Any = import_module("numpy._core._multiarray_umath")
    wide = (name for name in core.__cpu_dispatch__ if name.startswith(("AVX512", "X86_V4")))
    return [name for name in wide if core.__cpu_features__.get(name)]
