"""Features of a whole store, or of its quadrants, in one pass into a memory-mapped array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stages.lib.console import Progress
from stages.lib.quadrants import COUNT, cut
from stages.lib.store import Store
from stages.models.base import to_images

Features = npt.NDArray[np.float32]


@torch.no_grad()
def extract(
    store: Store,
    rows: npt.NDArray[np.int64],
    network: Callable[[Tensor], Tensor],
    path: Path,
    *,
    quadrants: bool,
    batch_size: int,
    device: torch.device | None = None,
    quiet: bool = False,
) -> Features:
    """Write the features of `rows` to the ``.npy`` file `path`, and map it.

    Args:
        store: the images.
        rows: N rows of it.
        network: B×C×H×W in [0, 1] to B×D; in evaluation mode, so that no image's features depend
            on the others in its batch.
        path: is replaced.
        quadrants: of the four quadrants rather than of the whole images.
        batch_size: images, or groups of four quadrants, at once; changes no result but rounding.
        device: where the network is; the CPU by default.
        quiet: show no bar.

    Returns:
        float32 N×D, or N×4×D for quadrants; a memory map.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    out: Features | None = None
    with Progress(f"features {store.name}", len(rows), "images", quiet=quiet) as progress:
        for start in range(0, len(rows), batch_size):
            block = store.images[rows[start : start + batch_size]]
            if quadrants:
                block = cut(block).reshape(
                    -1, block.shape[1] // 2, block.shape[2] // 2, block.shape[3]
                )
            features = network(to_images(torch.from_numpy(block).to(device))).float().cpu().numpy()
            if out is None:
                count = (len(rows), COUNT) if quadrants else (len(rows),)
                shape = (*count, features.shape[1])
                out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            out[start : start + batch_size] = features.reshape(-1, *out.shape[1:])
            progress.advance(min(batch_size, len(rows) - start))
    if out is None:
        raise ValueError("no rows")
    return out
