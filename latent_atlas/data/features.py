"""Features of the images of a store, or of their tiles, in a memory-mapped array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.data.tiles import cut_tiles
from latent_atlas.util.console import Progress

Features = npt.NDArray[np.float32]


@torch.no_grad()
def extract_features(
    store: Store,
    rows: npt.NDArray[np.int64],
    network: Callable[[Tensor], Tensor],
    path: Path,
    *,
    tiles: int = 1,
    batch_size: int,
    device: torch.device | None = None,
    quiet: bool = False,
) -> Features:
    """Write the features of `rows` to the ``.npy`` file `path` and map it into memory.

    Args:
        store: the images.
        rows: N rows of the store.
        network: B×C×H×W in [0, 1] to B×D; in evaluation mode, so that the features of an image do
            not depend on the others in its batch.
        path: an existing file is replaced.
        tiles: 1 for whole images, 2 for quadrants, 3 for nine tiles.
        batch_size: images per batch; changes results by rounding only.
        device: device of the network; the CPU by default.
        quiet: show no progress.

    Returns:
        float32 N×D, or N×tiles²×D; a memory map.

    Raises:
        ValueError: if there are no rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    out: Features | None = None
    with Progress(f"features {store.name}", len(rows), "images", quiet=quiet) as progress:
        for start in range(0, len(rows), batch_size):
            block = store.images[rows[start : start + batch_size]]
            pieces = cut_tiles(block, tiles)
            block = pieces.reshape(-1, *pieces.shape[2:])
            features = network(to_images(torch.from_numpy(block).to(device))).float().cpu().numpy()
            if out is None:
                count = (len(rows),) if tiles == 1 else (len(rows), tiles**2)
                shape = (*count, features.shape[1])
                out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
            out[start : start + batch_size] = features.reshape(-1, *out.shape[1:])
            progress.advance(min(batch_size, len(rows) - start))
    if out is None:
        raise ValueError("found no rows, expected at least one")
    return out
