"""`python -m stages.transfer A.jpg B.jpg --mask 0010`: transfer quadrants of A to B.

The mask has a digit for each quadrant: top left, top right, bottom left, bottom right. 1 takes the
quadrant from A, 0 keeps that of B; 1100 transfers the upper half. Nine digits stand for nine tiles.
With `--segments` only the foreground is exchanged, in the quadrants of the mask or in all.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from latent_atlas.analysis.scene_mixing.mixes import open_mixable
from latent_atlas.analysis.scene_mixing.transfer import plot_transfer
from latent_atlas.training.checkpoint import MODELS
from latent_atlas.util.console import UserError, run_command


def main() -> None:
    """Check the arguments, open the run, write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m stages.transfer", description=__doc__)
    parser.add_argument("object", type=Path, help="picture that gives quadrants")
    parser.add_argument("scene", type=Path, help="picture that keeps the others")
    parser.add_argument("--mask", help="four digits 0 or 1, e.g. 0010; nine for nine tiles")
    parser.add_argument("--segments", action="store_true", help="exchange only the foreground")
    parser.add_argument(
        "--run", default="scenes_mixing", help="name of a trained run, or its folder"
    )
    parser.add_argument("--out", type=Path, default=Path("transfer.png"), help="PNG to write")
    arguments = parser.parse_args()
    digits = str(arguments.mask or "")
    if arguments.segments and arguments.mask is None:
        digits = "1111"
    if not re.fullmatch("[01]{4}|[01]{9}", digits):
        raise UserError(
            f"--mask: found {digits!r}, expected four digits 0 or 1, e.g. 0010, or nine for nine "
            "tiles"
        )
    mask = [digit == "1" for digit in digits]
    trained = open_mixable(_run_folder(arguments.run))
    plot_transfer(
        trained, arguments.object, arguments.scene, mask, arguments.out, arguments.segments
    )
    print(arguments.out)


def _run_folder(run: str) -> Path:
    """The checkpoint folder of a run, given by its name or as a folder."""
    folder = next((path for path in (MODELS / run, Path(run)) if path.is_dir()), None)
    if folder is None:
        raise UserError(
            f"--run: found {run!r}, expected a run with a folder {MODELS}/{run}, or a folder; "
            "train the run with `dvc repro`"
        )
    return folder


if __name__ == "__main__":
    run_command(main)
