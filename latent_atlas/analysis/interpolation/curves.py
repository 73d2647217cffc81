"""Curves between two codes: straight lines and arcs.

A curve is a sequence of codes. P curves of K points are a float32 array P×K×D; the first and the
last point of each are its end points.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

Codes = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]
Decode = Callable[[Tensor], Tensor]
"""A decoder: B×D codes to B×… outputs. Geodesics need it to be differentiable."""


def linear(starts: Codes, ends: Codes, steps: int) -> Codes:
    """Straight lines from P×D to P×D codes in equal steps: P×(steps+1)×D."""
    share = np.linspace(0, 1, steps + 1, dtype=np.float32)[:, None]
    return (1 - share) * starts[:, None] + share * ends[:, None]


def spherical(starts: Codes, ends: Codes, steps: int) -> Codes:
    """Arcs from one direction to the other (Shoemake 1985; White 2016, section 2.1).

    Samples of N(0, I) in many dimensions lie close to a sphere, and a straight line leaves it.
    Where the end points have the same direction, opposite directions or no direction, the arc is
    not unique: the curve is then a straight line.
    """
    share = np.linspace(0, 1, steps + 1)[:, None]
    first, last = starts.astype(np.float64), ends.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1)
    cosine = np.divide((first * last).sum(1), norms, out=np.ones(len(first)), where=norms > 0)
    angle = np.arccos(cosine.clip(-1, 1))[:, None, None]
    straight = np.sin(angle) < 1e-6
    sine = np.where(straight, 1.0, np.sin(angle))
    from_first = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    from_last = np.where(straight, share, np.sin(share * angle) / sine)
    arcs: Codes = (from_first * first[:, None] + from_last * last[:, None]).astype(np.float32)
    return arcs


def subdivide(curves: Codes, pieces: int) -> Codes:
    """Cut each step into `pieces` straight ones: P×K×D to P×((K−1)·pieces+1)×D."""
    share = np.arange(pieces, dtype=np.float32)[:, None] / pieces
    inner = curves[:, :-1, None] + share * np.diff(curves, axis=1)[:, :, None]
    flat = inner.reshape(len(curves), -1, curves.shape[2])
    return np.concatenate([flat, curves[:, -1:]], axis=1)
