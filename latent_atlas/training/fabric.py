"""The device, precision and processes of a training (Lightning Fabric)."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latent_atlas.config.runs import TrainSpec
from latent_atlas.util import arithmetic
from latent_atlas.util.console import FieldError
from latent_atlas.util.files import write_json

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(train: TrainSpec, alternating: bool = False) -> Fabric:
    """Launch Fabric on the configured device; under ``torchrun`` with all of its processes.

    Args:
        train: accelerator and precision.
        alternating: whether some backward passes reach only a part of the weights.

    Raises:
        FieldError: if there is no such accelerator on this machine.
    """
    from lightning_fabric import Fabric  # takes over a second, and opening a run does not need it

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is not repeatable
    torch.use_deterministic_algorithms(True)
    # It would also fill all new memory with NaN, which finds faulty kernels and costs 7 % here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    ddp = "ddp_find_unused_parameters_true" if alternating else "ddp"
    try:
        fabric = Fabric(
            accelerator=train.accelerator,
            devices=local,
            num_nodes=world // local,
            strategy=ddp if world > 1 else "auto",
            precision=train.precision,
        )
    except (ValueError, RuntimeError) as error:
        raise FieldError(
            "accelerator",
            f"found {train.accelerator!r}, which cannot be used here ({error}); set it to auto or "
            "cpu",
        ) from None
    fabric.launch()
    return fabric


def record_environment(fabric: Fabric, resume: Path) -> None:
    """Write the `environment` of a training to ``<run>.environment.json`` beside its `resume` file.

    It names the machine, so it is no part of the checkpoint, whose bytes are the same on others.
    """
    write_json(resume.with_suffix(".environment.json"), environment(fabric))


def environment(fabric: Fabric) -> dict[str, Any]:
    """Software and hardware on which the bits of a result depend."""
    device = fabric.device.type
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
        "arithmetic": "native" if arithmetic.not_portable() else "portable",
        "device": torch.cuda.get_device_name(fabric.device) if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "processes": fabric.world_size,
    }
