"""The device, precision and processes of a training (Lightning Fabric)."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

import torch

from latent_atlas.config.runs import Train
from latent_atlas.util.console import FieldError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(train: Train, alternating: bool = False) -> Fabric:
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


def environment(fabric: Fabric) -> dict[str, Any]:
    """Software and hardware on which the bits of a result depend."""
    device = fabric.device.type
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(fabric.device) if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "processes": fabric.world_size,
    }
