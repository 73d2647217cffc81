"""`python -m stages.score REAL FAKE`: scores between two folders of images, in one line.

Fréchet distance, KID, precision, recall, density and coverage by the features of a network; and L1,
PSNR and SSIM of the files whose names match. FID and KID have these names only with the published
weights of Inception (`--weights pt_inception-2015-12-05-6726825d.pth`); otherwise they are named
after the network.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from latent_atlas.metrics.folders import Comparison, compare_folders, open_folder
from latent_atlas.models import backbones
from latent_atlas.util.console import UserError, run_command, say

DEFAULT = "efficientnet_lite0"

SIDES = (8, 1024)
"""Smallest and largest side of the images in a backbone, in pixels."""


def main() -> None:
    """Read the arguments, compare the folders, print."""
    arguments = _parser().parse_args()
    real, fake = open_folder(arguments.real), open_folder(arguments.fake)
    name, size = arguments.backbone, arguments.size
    if size is not None and not SIDES[0] <= size <= SIDES[1]:
        raise UserError(f"--size: found {size}, expected {SIDES[0]} to {SIDES[1]} pixels")
    if arguments.weights is not None:
        if name != DEFAULT or size is not None:
            raise UserError("--weights: is for FID by Inception; leave out --backbone and --size")
        name = f"{backbones.INCEPTION}@{arguments.weights}"
    try:
        found = compare_folders(real, fake, backbones.load(name), size, arguments.seed)
    except backbones.BackboneError as error:
        raise UserError(str(error)) from None
    for line in found.left_out:
        say(f"left out: {line}")
    print(_as_json(found) if arguments.json else _as_line(found))


def _as_json(found: Comparison) -> str:
    real, fake = found.images
    values = {"real_images": real, "fake_images": fake, "pairs": found.pairs, **found.scores}
    return json.dumps(values)


def _as_line(found: Comparison) -> str:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in found.scores.items())
    real, fake = found.images
    return f"{real} and {fake} images, {found.pairs} pairs: {scores or 'no score'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stages.score",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("real", type=Path, help="folder of real images, or of references")
    parser.add_argument("fake", type=Path, help="folder of images to score")
    parser.add_argument("--weights", type=Path, help="file of the published Inception, for FID")
    parser.add_argument("--backbone", default=DEFAULT, help=f"another network ({DEFAULT})")
    parser.add_argument("--size", type=int, help="side of the images in it (its own)")
    parser.add_argument("--seed", type=int, default=0, help="of the subsets of KID (0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    run_command(main)
