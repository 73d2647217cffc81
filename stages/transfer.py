"""`python -m stages.transfer A.jpg B.jpg --mask 0010`: put quadrants of A into B.

A mask has a digit for each quadrant, top left, top right, bottom left, bottom right: 1 takes the
quadrant from A, 0 keeps that of B. 1100 moves what is in the upper half; nine digits are nine
tiles. With `--segments` only figures change places: those of all quadrants, or of the mask's.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from latent_atlas.analysis.scene_mixing.mixes import (
    Mixes,
    masks,
    open_mixable,
    paste,
    picture_of,
    render,
)
from latent_atlas.data.photo import PhotoError, open_photo
from latent_atlas.data.store import Images
from latent_atlas.plots.grid import enlargement, save_grid
from latent_atlas.training.checkpoint import MODELS
from latent_atlas.util.console import UserError, run_command

MOST_PIXELS = 100_000_000


def main() -> None:
    """Open the run and the pictures, mix, write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m stages.transfer", description=__doc__)
    parser.add_argument("object", type=Path, help="picture that gives quadrants")
    parser.add_argument("scene", type=Path, help="picture that keeps the others")
    parser.add_argument("--mask", help="four digits 0 or 1, e.g. 0010; nine for nine tiles")
    parser.add_argument("--segments", action="store_true", help="exchange figures alone")
    parser.add_argument(
        "--run", default="scenes_mixing", help="name of a trained run, or its folder"
    )
    parser.add_argument("--out", type=Path, default=Path("transfer.png"), help="PNG to write")
    asked = parser.parse_args()
    digits = "1111" if asked.segments and asked.mask is None else str(asked.mask or "")
    if not re.fullmatch("[01]{4}|[01]{9}", digits):
        raise UserError(
            f"--mask: found {digits!r}, expected four digits 0 or 1 (nine for tiles), e.g. 0010"
        )
    trained = open_mixable(_folder(asked.run))
    shape = trained.config["shape"]
    images = np.stack([read(path, shape) for path in (asked.scene, asked.object)])
    replaced = np.array([[digit == "1" for digit in digits]])
    mixes = Mixes(np.array([0]), np.ones(replaced.shape, np.int64), replaced, asked.segments)
    mask = picture_of(masks(images, mixes)).repeat(shape[2], 3)
    cells = [images[[1]], images[[0]], mask, paste(images, mixes), render(trained, images, mixes)]
    save_grid(
        asked.out,
        np.concatenate(cells),
        len(cells),
        f"Transfer with mask {digits}{' of figures' if asked.segments else ''} · {trained.title()}",
        column_labels=["object", "scene", "mask", "pasted", "rendered"],
        enlarge=enlargement(shape[0], shape[1], 128),
    )
    print(asked.out)


def _folder(run: str) -> Path:
    """The checkpoint folder of a run by its name, or `run` itself where that is a folder."""
    found = next((path for path in (MODELS / run, Path(run)) if path.is_dir()), None)
    if found is None:
        raise UserError(
            f"--run: found {run!r}, expected a run with a folder {MODELS}/{run}, or a folder; "
            "train the run with `dvc repro`"
        )
    return found


def read(path: Path, shape: tuple[int, int, int]) -> Images:
    """A picture, cropped to the aspect ratio and resized to H×W×C, as runs are trained on.

    Raises:
        UserError: if it cannot be read.
    """
    height, width, channels = shape
    try:
        picture = open_photo(path.read_bytes(), MOST_PIXELS)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except PhotoError as error:
        raise UserError(f"{path}: {error}; give another picture") from None
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(fitted.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(height, width, channels)


if __name__ == "__main__":
    run_command(main)
