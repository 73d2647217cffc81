"""Transfer of tiles from one picture to another through the codes of a trained run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from latent_atlas.analysis.scene_mixing.mixes import (
    Mixes,
    mask_images,
    paste,
    render,
    replaced_pixels,
)
from latent_atlas.data.photo import PhotoError, open_photo
from latent_atlas.data.store import Images
from latent_atlas.plots.grid import enlargement, save_grid
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import UserError

MAX_PIXELS = 100_000_000


def plot_transfer(
    trained: TrainedRun,
    source: Path,
    scene: Path,
    mask: Sequence[bool],
    path: Path,
    segments: bool = False,
) -> None:
    """Write a sheet: source, scene, mask, pasted pixels, and the rendering of the mixed code.

    Args:
        trained: a run of `latent_atlas.analysis.scene_mixing.mixes.open_mixable`.
        source: picture that gives tiles.
        scene: picture that keeps the other tiles.
        mask: for each tile, row by row, whether it comes from `source`.
        path: the PNG to write.
        segments: exchange only the foreground of the tiles.

    Raises:
        UserError: if a picture cannot be read, or images or codes do not have so many tiles.
    """
    shape = trained.config["shape"]
    images = np.stack([read_picture(picture, shape) for picture in (scene, source)])
    replaced = np.array([mask])
    mixes = Mixes(np.array([0]), np.ones(replaced.shape, np.int64), replaced, segments)
    masks = mask_images(replaced_pixels(images, mixes)).repeat(shape[2], 3)
    cells = [images[[1]], images[[0]], masks, paste(images, mixes), render(trained, images, mixes)]
    digits = "".join(str(int(value)) for value in mask)
    foreground = ", foreground only" if segments else ""
    save_grid(
        path,
        np.concatenate(cells),
        len(cells),
        f"Transfer with mask {digits}{foreground} · {trained.title()}",
        column_labels=["object", "scene", "mask", "pasted", "rendered"],
        enlarge=enlargement(shape[0], shape[1], 128),
    )


def read_picture(path: Path, shape: tuple[int, int, int]) -> Images:
    """Read a picture, crop it to the aspect ratio of `shape` and resize it to H×W×C.

    Raises:
        UserError: if it cannot be read.
    """
    height, width, channels = shape
    try:
        picture = open_photo(path.read_bytes(), MAX_PIXELS)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except PhotoError as error:
        raise UserError(f"{path}: {error}; choose another picture") from None
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(fitted.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(height, width, channels)
