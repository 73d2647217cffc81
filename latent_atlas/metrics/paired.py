"""L1, PSNR and SSIM between images and their references, over all pixels or some of them.

An error over the pixels in which source and reference differ shows what a translation has done:
there, doing nothing has the full error, however small the changed part of the image is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from latent_atlas.data.store import Images
from latent_atlas.metrics.reconstruction import psnr_and_ssim

Floats = npt.NDArray[np.float64]

Masks = npt.NDArray[np.bool_]

LEAST_ERROR = 1e-10
"""Mean squared error of identical images, so that a PSNR is at most 100 dB."""

SSIM_WINDOW = 11
"""Side of the window of SSIM: smaller images have none."""


def changed_pixels(images: Images, references: Images) -> Masks:
    """B×H×W: the pixels in which any channel of B×H×W×C uint8 images differs."""
    return np.asarray((images != references).any(3))


def compare(images: Images, references: Images) -> dict[str, Floats]:
    """Scores over all pixels.

    Args:
        images: uint8 B×H×W×C.
        references: likewise.

    Returns:
        Per image: ``l1``, the mean absolute difference, in [0, 1]; ``psnr`` in dB, at most 100; and
        ``ssim`` (see `latent_atlas.metrics.reconstruction.psnr_and_ssim`).
    """
    psnr, ssim = psnr_and_ssim(images, references).reshape(-1, 2).T
    l1 = np.abs(_difference(images, references)).mean((1, 2, 3))
    return {"l1": l1, "psnr": psnr, "ssim": ssim}


def compare_within(images: Images, references: Images, masks: Masks) -> dict[str, Floats]:
    """The scores of `compare` over the pixels of a mask; NaN where it is empty.

    SSIM is the mean of the map of local SSIM over these pixels. Its windows extend beyond them.

    Args:
        images: uint8 B×H×W×C.
        references: likewise.
        masks: B×H×W.
    """
    difference = _difference(images, references)
    values = [_within(*parts) for parts in zip(difference, images, references, masks, strict=True)]
    scores = np.array(values, np.float64).reshape(-1, 3)
    return dict(zip(("l1", "psnr", "ssim"), scores.T, strict=True))


def _within(
    difference: Floats, image: Images, reference: Images, mask: Masks
) -> tuple[float, float, float]:
    if not mask.any():
        return np.nan, np.nan, np.nan
    inside = difference[mask]
    squared = max(float(np.square(inside).mean()), LEAST_ERROR)
    _, local = structural_similarity(
        image,
        reference,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(np.abs(inside).mean()), -10 * np.log10(squared), float(local[mask].mean())


def _difference(images: Images, references: Images) -> Floats:
    return (images.astype(np.float64) - references) / 255
