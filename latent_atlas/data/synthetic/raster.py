"""Anti-aliased shapes for a batch of pictures.

A shape is a plane of signed distances, B×H×W, positive inside and measured in the picture's own
units. `cover` turns it into the share of each pixel that the shape covers; unions are maxima,
intersections minima. Coordinates broadcast: x is B×1×W and y is B×H×1 where a shape allows it, so
that most of the arithmetic runs on single rows and columns.

Only exactly rounded arithmetic is used (see `latent_atlas.data.synthetic.base`), so `sine` is a
polynomial.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.synthetic.base import Bytes, Float

TINY = 1e-6


def column(factors: pd.DataFrame, name: str) -> Float:
    """A continuous factor as float32, B×1×1."""
    values: Float = factors[name].to_numpy(np.float32)[:, None, None]
    return values


def axes(height: int, width: int) -> tuple[Float, Float]:
    """Pixel centres in pixels from the picture's top left corner: x 1×1×W, y 1×H×1."""
    x = np.arange(width, dtype=np.float32)[None, None, :] + 0.5
    y = np.arange(height, dtype=np.float32)[None, :, None] + 0.5
    return x, y


def cover(distance: Float, pixel: Float | float) -> Float:
    """The share, 0 to 1, of a pixel of side `pixel` that a shape at `distance` covers."""
    share = distance / pixel
    share += 0.5
    return np.clip(share, 0.0, 1.0, out=share)


def line(distance: Float, half: float, pixel: Float) -> Float:
    """Coverage of a line of half-width `half` along distance 0; faint below a pixel's width."""
    share = (half - np.abs(distance)) / pixel
    share += 0.5
    return np.clip(share, 0.0, np.minimum(1.0, (2 * half) / pixel), out=share)


def smooth(t: Float) -> Float:
    """Rise from 0 at t ≤ 0 to 1 at t ≥ 1 with level ends (the cubic 3t² − 2t³)."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def sine(turns: Float) -> Float:
    """sin(2π·turns) to 0.001, from a parabola squared once."""
    t = turns - np.floor(turns + 0.5)
    arch = 8.0 * t - 16.0 * t * np.abs(t)
    return 0.775 * arch + 0.225 * arch * np.abs(arch)


def cosine(turns: Float) -> Float:
    """cos(2π·turns) to 0.001."""
    return sine(turns + 0.25)


def rotate(x: Float, y: Float, turns: Float) -> tuple[Float, Float]:
    """The coordinates (x, y) in a frame turned by `turns` (clockwise, as y points down)."""
    c, s = cosine(turns), sine(turns)
    return x * c + y * s, y * c - x * s


def hypot(x: Float, y: Float) -> Float:
    """√(x² + y²), never 0, so that it can be a divisor."""
    return np.sqrt(x * x + y * y + TINY)


def ellipse(x: Float, y: Float, rx: Float | float, ry: Float | float) -> Float:
    """Signed distance, to first order, of an ellipse with half-axes rx, ry about the origin."""
    u, v = x / rx, y / ry
    level = hypot(u, v)
    slope = hypot(u / rx, v / ry)
    return (1.0 - level) * level / slope


def disc(x: Float, y: Float, r: Float | float) -> Float:
    """Signed distance of a disc of radius r about the origin."""
    return r - hypot(x, y)


def box(x: Float, y: Float, rx: Float | float, ry: Float | float) -> Float:
    """Signed distance of a box with half-sides rx, ry about the origin."""
    dx, dy = rx - np.abs(x), ry - np.abs(y)
    out = np.minimum(dx, 0.0) ** 2 + np.minimum(dy, 0.0) ** 2
    return np.where(out > 0, -np.sqrt(out), np.minimum(dx, dy))


def polygon(x: Float, y: Float, points: Sequence[tuple[float, float]]) -> Float:
    """Signed distance of a polygon, convex or not, that does not cross itself."""
    nearest: Float | float = np.inf
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.bool_)
    for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
        ex, ey = (x1 - x0), (y1 - y0)
        px, py = x - x0, y - y0
        t = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        nearest = np.minimum(nearest, (px - t * ex) ** 2 + (py - t * ey) ** 2)
        if ey:  # Count the edges that a ray to the right crosses: an odd number means inside.
            inside ^= ((py >= 0) != (y >= y1)) & (px < py * (ex / ey))
    distance = np.sqrt(nearest)
    return np.where(inside, distance, -distance)


def profile(y: Float, knots: Sequence[tuple[Float | float, Float | float]]) -> Float:
    """A half-width that runs smoothly through the `knots` (y, half-width), level beyond them."""
    (y0, w0), *rest = knots
    width = np.asarray(w0, np.float32) + np.zeros_like(y)
    for y1, w1 in rest:
        t = np.clip((y - y0) / (np.asarray(y1, np.float32) - y0), 0.0, 1.0)
        # Half linear, half level at the knots: neither corners nor steps.
        width += (np.asarray(w1, np.float32) - w0) * (0.5 * t + 0.5 * smooth(t))
        y0, w0 = y1, w1
    return width


def steepness(curve: Float, axis: int, step: Float) -> Float:
    """Factor from a distance along one axis to the distance from `curve`: 1/√(1 + slope²)."""
    if curve.shape[axis] < 2:
        return np.ones_like(curve)
    slope = np.gradient(curve, axis=axis) / step
    return 1.0 / np.sqrt(1.0 + slope * slope)


def cell(coordinate: Float, period: float) -> tuple[Float, Float]:
    """The number of the cell of side `period`, and the position in it from −½ to ½ of a period."""
    t = coordinate / period
    index = np.floor(t)
    return index, t - index - 0.5


def scatter(i: Float, j: Float, salt: int) -> Float:
    """A number in [0, 1) for each pair of whole numbers, without visible order (integer hash)."""
    a = i.astype(np.int32).view(np.uint32) * np.uint32(0x9E3779B1)
    b = j.astype(np.int32).view(np.uint32) * np.uint32(0x85EBCA77)
    h = a ^ (b + np.uint32((salt * 0xC2B2AE3D) & 0xFFFFFFFF))
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(np.float32) * (2.0**-24)


def mix(picture: Float, colour: Float | float, share: Float) -> None:
    """Blend `colour` into `picture` (B×3×H×W, changed in place) by the `share` of each pixel.

    `colour` broadcasts to B×3×H×W; `share` is B×H×W, 0 to 1.
    """
    picture += share[:, None] * (colour - picture)


def finish(picture: Float) -> Bytes:
    """B×3×H×W in 0 to 255 as the nearest uint8, B×H×W×3."""
    whole = np.clip(picture + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.ascontiguousarray(whole.transpose(0, 2, 3, 1))


def rgb(*colours: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Colours in 0 to 255 as an array, N×3."""
    return np.asarray(colours, np.float32)


def hsv(hue: Float, saturation: float, value: float) -> Float:
    """Colours of `hue` (turns of the colour circle: 0 red, ⅓ green, ⅔ blue) in 0 to 255, N×3."""
    turns = hue[:, None] + np.asarray([0.0, 2 / 3, 1 / 3], np.float32)
    ramp = np.abs((turns - np.floor(turns)) * 6.0 - 3.0) - 1.0
    pure = np.clip(ramp, 0.0, 1.0)
    return (255.0 * value) * (1.0 - saturation * (1.0 - pure))
