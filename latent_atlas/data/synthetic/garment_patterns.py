"""Patterns of cloth: each one as shares of two accent colours over the cloth.

Coordinates are the cloth's own, in the units of ``latent_atlas.data.synthetic.garment_cuts``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Float


@dataclass(frozen=True)
class Weave:
    """Rows of a block that share a pattern: coordinates on the cloth and the pixel's side."""

    u: Float
    v: Float
    pixel: Float


Dye = tuple[Float, Float]  # shares, 0 to 1, of the first and the second accent colour


def _stripes(w: Weave) -> Dye:
    _, t = raster.cell(w.v, 6.6)
    return raster.cover(1.35 - np.abs(t) * 6.6, w.pixel), np.zeros_like(t)


def _polkadots(w: Weave) -> Dye:
    row, t = raster.cell(w.v, 5.2)
    _, s = raster.cell(w.u + row * 3.0, 6.0)
    dots = raster.disc(s * 6.0, t * 5.2, 1.55)
    return raster.cover(dots, w.pixel), np.zeros_like(t)


def _floral(w: Weave) -> Dye:
    dyes = [np.zeros_like(w.u), np.zeros_like(w.u)]
    for layer, (size, period) in enumerate(((3.7, 9.6), (2.3, 9.6))):
        half = period / 2 * layer
        i, s = raster.cell(w.u + half, period)
        j, t = raster.cell(w.v + half, period)
        jitter = [raster.scatter(i, j, 7 * layer + k) for k in range(3)]
        free = 0.9 * (period - 2 * size)
        x = s * period + (jitter[0] - 0.5) * free
        y = t * period + (jitter[1] - 0.5) * free
        x, y = raster.rotate(x, y, jitter[2])
        r = raster.hypot(x, y)
        c = x / r
        # |cos 5φ/2| of the angle φ about the flower's middle: five round petals.
        five = c * (5.0 + c * c * (16.0 * c * c - 20.0))
        petals = np.sqrt(np.maximum(0.5 + 0.5 * five, 0.0))
        reach = size * (0.58 + 0.42 * petals)
        blossom = raster.cover(reach - r, w.pixel)
        middle = raster.cover((size * 0.34) - r, w.pixel)
        dyes[layer] = np.maximum(dyes[layer] * (1.0 - middle), blossom * (1.0 - middle))
        dyes[1 - layer] = np.maximum(dyes[1 - layer] * (1.0 - blossom), middle)
    first, second = dyes
    return first, second


def _print(w: Weave) -> Dye:
    """Large drifting patches with a rim, as of a painted or camouflage print."""
    u, v = w.u * 0.037, w.v * 0.037
    drift = raster.sine(u + 0.3 * raster.sine(v * 1.3))
    swirl = raster.sine(v * 1.6 - u * 0.7 + 0.22 * drift)
    eddy = raster.sine(u * 2.3 + v * 0.9 + 0.2 * swirl)
    level = (drift + swirl + 0.8 * eddy) * 4.0
    first = raster.cover(level - 2.4, w.pixel)
    second = raster.cover(-level - 3.8, w.pixel)
    return first, second


def _unicolors(w: Weave) -> Dye:
    nothing = np.zeros_like(w.u)
    return nothing, nothing


PATTERNS: dict[str, Callable[[Weave], Dye]] = {
    "floral": _floral,
    "polkadots": _polkadots,
    "print": _print,
    "stripes": _stripes,
    "unicolors": _unicolors,
}


def netting(w: Weave) -> Float:
    """Lace: the share of skin-side background seen through a net with rosettes."""
    row, t = raster.cell(w.v, 2.5)
    _, s = raster.cell(w.u + row * 1.45, 2.9)
    mesh = raster.cover(raster.disc(s * 2.9, t * 2.5, 0.95), w.pixel)
    row, t = raster.cell(w.v, 9.0)
    _, s = raster.cell(w.u + row * 5.2, 10.4)
    x, y = s * 10.4, t * 9.0
    r = raster.hypot(x, y)
    c2 = (x / r) ** 2
    six = 32.0 * c2 * c2 * c2 - 48.0 * c2 * c2 + 18.0 * c2 - 1.0
    rosette = raster.cover(3.1 + 0.7 * six - r, w.pixel)
    ring = raster.line(2.0 + 0.45 * six - r, 0.4, w.pixel)
    net = 0.3 + 0.7 * mesh
    return net * (1.0 - rosette) + 0.7 * ring


def scallops(w: Weave) -> Float:
    """Depth of the cut-outs at the hem of lace, in units: a row of arcs."""
    return 1.9 * (1.0 - np.abs(raster.sine(w.u / 11.0)))
