"""Decoders whose curves are known, for several tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def sphere(codes: Tensor) -> Tensor:
    """Latitude and longitude in radians to a point of the unit sphere."""
    latitude, longitude = codes.T
    return torch.stack(
        [
            latitude.cos() * longitude.cos(),
            latitude.cos() * longitude.sin(),
            latitude.sin(),
        ],
        1,
    )


def matrix() -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=(4, 9)).astype(np.float32))


def flat(codes: Tensor) -> Tensor:
    """Four numbers to nine, by a matrix."""
    return codes @ matrix()
