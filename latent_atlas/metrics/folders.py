"""Scores between two folders of images: distributions, and pairs of files with the same name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from latent_atlas.data.pixels import to_images
from latent_atlas.data.sources.decode import decode
from latent_atlas.data.sources.items import FileContent, RejectedError
from latent_atlas.data.sources.trees import has_suffix, is_image_name
from latent_atlas.data.store import Images
from latent_atlas.metrics import generative, paired
from latent_atlas.metrics.image_features import (
    LEAST_FOR_FID,
    Features,
    distribution_names,
)
from latent_atlas.models.backbones import Backbone
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.files import walk

_NEIGHBOURS = "precision, recall, density, coverage"


@dataclass(frozen=True)
class Folder:
    """The readable images of a folder.

    Attributes:
        path: of the folder.
        names: of the files, relative to it.
    """

    path: Path
    names: list[str]


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        images: numbers of images in both folders.
        pairs: number of names that both have.
        scores: metric → value.
        left_out: one line for each group of metrics that is missing, and the reason.
    """

    images: tuple[int, int]
    pairs: int
    scores: dict[str, float]
    left_out: list[str]


def open_folder(path: Path) -> Folder:
    """The images below `path`; raises UserError if it is no folder, or has none."""
    if not path.is_dir():
        raise UserError(f"{path}: found no folder, expected a folder of images")
    names = [name for name, _ in walk(path) if has_suffix(name) and is_image_name(name)]
    if not names:
        raise UserError(f"{path}: found no image, expected at least one")
    return Folder(path, names)


def compare_folders(
    real: Folder, fake: Folder, backbone: Backbone, size: int | None, seed: int = 0
) -> Comparison:
    """Compare generated with real images, by features, and by pixels where file names match.

    Names match without their suffix, so that a JPEG can be compared with a PNG. Metrics that need
    more images than there are, are left out with a reason.

    Args:
        real, fake: the folders.
        backbone: network of the features; of Inception, the Fréchet distance is FID.
        size: side to which images are stretched for it; None for the network's own.
        seed: of the subsets of KID.

    Raises:
        UserError: for an image that cannot be read, or a pair of images of different sizes.
    """
    counts = len(real.names), len(fake.names)
    missing = [(metrics, least) for metrics, least in needs(backbone.name) if min(counts) < least]
    left_out = [
        f"{metrics}: found {counts[0]} and {counts[1]} images, expected at least {least} of each"
        for metrics, least in missing
    ]
    wanted = [metrics for metrics, _ in needs(backbone.name) if metrics not in dict(missing)]
    scores: dict[str, float] = {}
    if wanted:
        features, others = (_features(folder, backbone, size) for folder in (real, fake))
        scores = _distribution(features, others, backbone.name, wanted, seed)
    pairs = _pairs(real, fake)
    if pairs:
        scores |= _paired(pairs)
    else:
        left_out.append("l1, psnr, ssim: no names of files match")
    return Comparison(counts, len(pairs), scores, left_out)


def needs(backbone: str) -> list[tuple[str, int]]:
    """Metrics, and the smallest number of images in each folder for them."""
    frechet, kid = distribution_names(backbone)
    return [
        (frechet, LEAST_FOR_FID if frechet == "fid" else 2),
        (kid, 2),
        (_NEIGHBOURS, generative.NEIGHBOURS + 1),
    ]


def read_image(path: Path) -> Images:
    """1×H×W×3 uint8; raises UserError if the file is not a whole image of an allowed size."""
    try:
        return decode(FileContent(str(path)).read(), None)
    except RejectedError as error:
        raise UserError(f"{path}: {error}; remove it, or replace it by an image") from None


def _distribution(
    real: Features, fake: Features, backbone: str, wanted: Sequence[str], seed: int
) -> dict[str, float]:
    frechet, kid = distribution_names(backbone)
    scores: dict[str, float] = {}
    if frechet in wanted:
        scores[frechet] = generative.frechet_distance(real, fake)
    if kid in wanted:
        scores[kid] = generative.kid(real, fake, seed)
    if _NEIGHBOURS in wanted:
        scores |= generative.precision_recall_density_coverage(real, fake)
    return scores


@torch.no_grad()
def _features(folder: Folder, backbone: Backbone, size: int | None) -> Features:
    """N×D, image by image, because they may differ in size."""
    parts = []
    with Progress(f"features of {folder.path}", len(folder.names), "images") as progress:
        for name in folder.names:
            image = to_images(torch.from_numpy(read_image(folder.path / name)))
            parts.append(backbone.features(image, size).float().numpy())
            progress.advance()
    return np.concatenate(parts)


def _pairs(real: Folder, fake: Folder) -> list[tuple[Path, Path]]:
    """The files of both folders whose names match."""
    others = {_stem(name): name for name in fake.names}
    return [
        (real.path / name, fake.path / others[_stem(name)])
        for name in real.names
        if _stem(name) in others
    ]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _paired(pairs: Sequence[tuple[Path, Path]]) -> dict[str, float]:
    """Means over pairs."""
    totals: dict[str, list[float]] = {}
    for first, second in pairs:
        images, others = read_image(first), read_image(second)
        if images.shape != others.shape:
            sizes = [f"{image.shape[2]}×{image.shape[1]}" for image in (images, others)]
            raise UserError(
                f"{second}: has {sizes[1]} pixels, but {first} has {sizes[0]}; give pairs the same "
                "size, or other names"
            )
        if min(images.shape[1:3]) < paired.SSIM_WINDOW:
            raise UserError(
                f"{first}: has {images.shape[2]}×{images.shape[1]} pixels, expected at least "
                f"{paired.SSIM_WINDOW} on each side for SSIM"
            )
        for name, values in paired.compare(others, images).items():
            totals.setdefault(name, []).append(float(values[0]))
    return {name: float(np.mean(values)) for name, values in totals.items()}
