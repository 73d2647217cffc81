"""Measures of curves: length, energy, distance to the data, and the cross-dissolve index."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from latent_atlas.analysis.interpolation.curves import Codes, Decode, Floats, Numbers


class LengthAndEnergy(NamedTuple):
    """P lengths and P energies of decoded curves, in the units of the decoder's output."""

    length: Numbers
    energy: Numbers


@torch.no_grad()
def measure_curves(decode: Decode, curves: Codes, codes_at_once: int = 200) -> LengthAndEnergy:
    """Length Σ ‖g(z_{i+1}) − g(z_i)‖ and energy n/2 Σ ‖g(z_{i+1}) − g(z_i)‖² of each curve."""
    count, points, dim = curves.shape
    chunk = max(1, codes_at_once // points)
    steps = []
    for start in range(0, count, chunk):
        codes = torch.from_numpy(curves[start : start + chunk])
        images = decode(codes.reshape(-1, dim)).reshape(len(codes), points, -1)
        steps.append(images.diff(dim=1).norm(dim=2).double().numpy())
    distances = np.concatenate(steps) if steps else np.empty((0, points - 1))
    energies = np.square(distances).sum(1) * (points - 1) / 2
    return LengthAndEnergy(distances.sum(1), energies)


def distance_to_codes(curves: Codes, data: Codes, neighbours: int = 5) -> Numbers:
    """Distance of the inner points of each curve to the codes of data, relative to the data.

    Args:
        curves: P×K×D with K ≥ 3.
        data: N×D codes of images, N > neighbours; the end points are not among them.
        neighbours: number of nearest codes that a distance is averaged over.

    Returns:
        P means over inner points of the mean distance to the nearest codes, divided by the median
        of the same distance for the codes of data among themselves. At 1, the points are as near
        to the data as the data are to each other.
    """
    near = NearestNeighbors(n_neighbors=neighbours).fit(data)
    usual = np.median(near.kneighbors()[0].mean(1))
    inner = curves[:, 1:-1].reshape(-1, curves.shape[2])
    means = near.kneighbors(inner)[0].mean(1).reshape(len(curves), -1).mean(1)
    distances: Numbers = means / usual
    return distances


def distance_to_images(images: Floats, data: Floats) -> Numbers:
    """Distance of the inner images of each curve to the nearest image of the data.

    Args:
        images: P×K×… decoded curves, K ≥ 3.
        data: N×… decoded codes of images, so that both are blurred by the same decoder.

    Returns:
        P means over inner points of the distance to the nearest image, in the units of the
        decoder's output.
    """
    distances: Numbers = _nearest_distances(_inner_images(images), data).mean(1)
    return distances


def cross_dissolve_index(images: Floats, data: Floats) -> Numbers:
    """Cross-dissolve index of each curve: 0 for blends of its end images, 1 for images of the data.

    Each inner image has a distance d to the nearest blend (1 − s) · first + s · last, s in [0, 1],
    and a distance e to the nearest image of the data. The index is the mean of d / (d + e). It is
    ½ for images that are equally far from both.

    Args:
        images, data: as for `distance_to_images`.

    Returns:
        P numbers in [0, 1]; NaN for a curve with an image that is both a blend and in the data.
    """
    first, inner = images[:, :1].reshape(len(images), 1, -1), _inner_images(images)
    whole = images[:, -1:].reshape(first.shape) - first
    squared = np.square(whole).sum(2, keepdims=True)
    along = ((inner - first) * whole).sum(2, keepdims=True)
    share = np.divide(along, squared, out=np.zeros_like(along), where=squared > 0).clip(0, 1)
    blend = np.linalg.norm(inner - first - share * whole, axis=2).astype(np.float64)
    total = blend + _nearest_distances(inner, data)
    shares = np.divide(blend, total, out=np.full_like(total, np.nan), where=total > 0)
    index: Numbers = shares.mean(1)
    return index


def _inner_images(images: Floats) -> Floats:
    """P×K×… to P×(K−2)×M."""
    return images[:, 1:-1].reshape(*images[:, 1:-1].shape[:2], -1)


def _nearest_distances(inner: Floats, data: Floats) -> Numbers:
    """P×(K−2) distances of flattened images to the nearest image of the data."""
    near = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(data.reshape(len(data), -1))
    distances: Numbers = near.kneighbors(inner.reshape(-1, inner.shape[2]))[0]
    return distances.reshape(inner.shape[:2])
