"""Features of images in memory, their distances, and distribution scores by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.metrics import generative
from latent_atlas.models import backbones
from latent_atlas.models.backbones import Backbone

Features = npt.NDArray[np.float32]

LEAST_FOR_FID = 2048
"""Smallest number of images for FID, so that the covariance of its 2,048 features has full rank."""

_BATCH = 100  # fixed, because results depend on it by rounding


@torch.no_grad()
def image_features(backbone: Backbone, images: Images, size: int | None) -> Features:
    """float32 N×D features of N×H×W×C uint8 images, resized to `size` (None: the network's own)."""
    parts = [
        backbone.features(
            to_images(torch.from_numpy(np.array(images[start : start + _BATCH]))), size
        ).numpy()
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def feature_distance(features: Features, references: Features) -> npt.NDArray[np.float64]:
    """1 − cosine of the angle between N×D features and N×D references, in [0, 2]."""
    a, b = features.astype(np.float64), references.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(1) / np.maximum(norms, 1e-12)
    distances: npt.NDArray[np.float64] = np.clip(1 - cosines, 0, 2)
    return distances


def distribution_names(backbone: str) -> tuple[str, str]:
    """The names of Fréchet and kernel distance: FID and KID for the Inception network alone."""
    name = backbone.partition("@")[0]
    return ("fid", "kid") if name == backbones.INCEPTION else (f"frechet_{name}", f"kid_{name}")


def distribution_scores(
    real: Features, fake: Features, backbone: str, seed: int
) -> dict[str, float]:
    """Fréchet distance, KID, precision, recall, density and coverage, see `metrics.generative`.

    Args:
        real: N×D features of real images, of more than `generative.NEIGHBOURS`.
        fake: M×D, likewise.
        backbone: name of the network, for the names of the distances.
        seed: of the subsets of KID.
    """
    frechet, kid = distribution_names(backbone)
    return {
        frechet: generative.frechet_distance(real, fake),
        kid: generative.kid(real, fake, seed),
        **generative.precision_recall_density_coverage(real, fake),
    }
