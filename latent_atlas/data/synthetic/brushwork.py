"""Paintings with independent style and content.

The content is a field: a colour and a stroke direction at every point of the picture, a function
of `content` and its factors alone. The style is a way of painting strokes: each stroke takes the
colour of the field at its centre. A row with another `style` therefore shows the same scene,
painted in another way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Bytes, Columns, Drawing, Float, choice, uniforms

VALUES: dict[str, tuple[str, ...]] = {
    "style": ("dabs", "dots", "flats", "hatching"),
    "content": ("field", "forest", "lake", "sea", "still_life"),
}
RANGES: dict[str, tuple[float, float]] = {
    "horizon": (0.42, 0.6),
    "sun_x": (0.15, 0.85),
    "sun_y": (0.25, 0.75),
    "warmth": (-1.0, 1.0),
    "light": (-1.0, 1.0),
    "hue": (-1.0, 1.0),
    "relief": (0.0, 1.0),
    "object_x": (0.25, 0.75),
    "object_size": (0.8, 1.2),
    "stroke_size": (0.85, 1.15),
    "stroke_angle": (-1.0, 1.0),
    "stroke_colour": (0.5, 1.5),
    "stroke_seed": (0.0, 1.0),
}

Colour = tuple[float, float, float]


@dataclass
class _Field:
    """A scene at the points (x, y), both 0 to 1 across the picture; planes B×h×w."""

    factors: pd.DataFrame
    x: Float
    y: Float
    ratio: float  # the picture's width over its height
    colour: Float  # B×3×h×w, 0 to 255
    turns: Float  # direction of strokes: 0 level, ¼ upright

    def __getitem__(self, name: str) -> Float:
        return raster.column(self.factors, name)

    def lay(
        self,
        colour: Colour | Float,
        distance: Float,
        turns: Float | float | None = None,
        soft: float = 0.012,
    ) -> None:
        """Put a shape over the scene, with the direction of its strokes."""
        share = raster.cover(distance, soft)
        tone = np.asarray(colour, np.float32)
        raster.mix(self.colour, tone.reshape(1, 3, 1, 1) if tone.ndim == 1 else tone, share)
        if turns is not None:
            self.turns = np.where(share > 0.5, turns, self.turns)


def _blend(a: Colour, b: Colour, share: Float) -> Float:
    """From colour a at share 0 to b at 1; B×3×h×w."""
    first, second = (raster.rgb(c)[:, :, None, None] for c in (a, b))
    return first + (second - first) * np.clip(share, 0.0, 1.0)[:, None]


def _tooth(t: Float) -> Float:
    """A zigzag between 0 and 1 of period 1."""
    return np.abs(t - np.floor(t) - 0.5) * 2.0


def _noise(x: Float, y: Float, phase: Float) -> Float:
    """Slow irregular waves between about −1 and 1, each bent by the one before."""
    a = raster.sine(x * 0.71 + y * 0.43 + phase)
    b = raster.sine(y * 1.13 - x * 0.37 + phase * 2 + a * 0.31)
    c = raster.sine(x * 1.57 + y * 0.83 - phase + b * 0.43)
    return (a + b + c) * 0.42


def _sky(f: _Field, top: Colour, low: Colour, y: Float | None = None) -> Float:
    """Sky with sun, halo and clouds down to the horizon, at heights `y`."""
    y = f.y if y is None else y
    depth = y / f["horizon"]
    sky = _blend(top, low, depth * depth)
    clouds = _noise(f.x * 1.3, y * 4.2, f["relief"] * 3.0)
    raster.mix(sky, 250.0, raster.smooth((clouds - 0.25) * 1.6) * 0.75)
    sun_y = f["horizon"] * f["sun_y"]
    away = raster.hypot((f.x - f["sun_x"]) * f.ratio, y - sun_y)
    halo = np.clip(1.0 - away * 2.4, 0.0, 1.0)
    raster.mix(sky, raster.rgb((255, 226, 150))[:, :, None, None], halo * halo * 0.8)
    raster.mix(sky, raster.rgb((255, 248, 206))[:, :, None, None], raster.cover(0.065 - away, 0.02))
    return sky


def _sky_turns(f: _Field) -> Float:
    return 0.03 * raster.sine(f.x * 1.3 + f.y * 2.0 + f["relief"])


def _lake(f: _Field) -> None:
    horizon = f["horizon"]
    below = f.y - horizon
    # The water repeats what stands above it, upside down and shaken.
    shaken = 0.012 * raster.sine(f.y * 14.0 + f["relief"])
    x = np.where(below > 0, f.x + shaken, f.x)
    y = np.where(below > 0, horizon - below * 0.9, f.y)
    f.colour = _sky(f, (74, 138, 206), (240, 222, 196), y)
    f.turns = _sky_turns(f)
    relief = f["relief"]
    ranges: tuple[tuple[Colour, Colour, float, float], ...] = (
        ((98, 116, 170), (150, 166, 204), 1.4, 0.3),
        ((62, 88, 128), (104, 132, 158), 2.1, 0.19),
    )
    for k, (dark, bright, waves, rise) in enumerate(ranges):
        t = x * waves + relief * (2 + 3 * k)
        peak = 0.86 * _tooth(t) + 0.14 * _tooth(t * 2.6)
        skyline = horizon - rise * peak - 0.02
        lit = _blend(dark, bright, (t - np.floor(t) < 0.5).astype(np.float32))
        slope = np.where(t - np.floor(t) < 0.5, 0.1, -0.1)
        f.lay(lit, y - skyline, slope)
        if k == 0:
            snow = np.minimum(y - skyline, horizon - 0.19 + 0.02 * _tooth(t * 5) - y)
            f.lay((250, 250, 252), snow)
    trees = _tooth(x * 15.0) * 0.022 + 0.03 * _noise(x * 3, x, relief * 9)
    f.lay((36, 78, 62), y - (horizon - 0.05 - trees), 0.25)
    water = _blend((58, 112, 160), (24, 58, 104), below * 2.0)
    raster.mix(f.colour, water, raster.cover(below, 0.01) * 0.36)
    glint = raster.sine(f.y * 17.0 + raster.sine(f.x * 2 + relief) * 0.4)
    raster.mix(
        f.colour,
        244.0,
        raster.smooth(glint * 2 - 1.2) * (below > 0.01) * 0.3,
    )
    f.turns = np.where(below > 0, 0.0, f.turns)
    bank = 0.9 + 0.05 * raster.sine(f.x * 0.8 + relief) - f.y
    grass = _blend((124, 146, 58), (62, 104, 44), _noise(f.x * 6, f.y * 6, relief) + 0.5)
    f.lay(grass, -bank, 0.22)


def _sea(f: _Field) -> None:
    horizon, relief = f["horizon"], f["relief"]
    f.colour = _sky(f, (92, 128, 190), (252, 196, 140))
    f.turns = _sky_turns(f)
    below = f.y - horizon
    swell = raster.sine(
        below * 9.0 / (below * 1.6 + 0.35) * 1.4
        + 0.3 * raster.sine(f.x * 1.6 + below * 3 + relief * 3)
    )
    water = _blend((44, 122, 150), (16, 62, 112), below * 2.2 + swell * 0.3)
    f.lay(water, below, 0.0)
    foam = raster.smooth((swell - 0.72) * 4.0) * (below > 0.06)
    raster.mix(f.colour, 238.0, foam * 0.6)
    f.turns = np.where(below > 0, 0.03 * swell, f.turns)
    width = 0.035 + 0.22 * np.maximum(below, 0.0)
    path = np.clip(1.0 - np.abs(f.x - f["sun_x"]) / width, 0.0, 1.0) * (below > 0)
    sparkle = raster.smooth(raster.sine(f.y * 19.0 + relief) + 0.6)
    raster.mix(f.colour, raster.rgb((255, 224, 150))[:, :, None, None], path * sparkle * 0.9)
    size = f["object_size"] * 0.2
    u = (f.x - f["object_x"]) * f.ratio / size
    v = (f.y - horizon - 0.05) / size
    f.lay(
        (250, 244, 228), raster.polygon(u, v, [(0.05, -1.5), (0.75, 0.1), (0.05, 0.1)]) * size, 0.19
    )
    f.lay(
        (226, 110, 70),
        raster.polygon(u, v, [(-0.06, -1.25), (-0.06, 0.1), (-0.6, 0.1)]) * size,
        -0.17,
    )
    f.lay(
        (84, 44, 38),
        raster.polygon(u, v, [(-0.8, 0.2), (0.85, 0.2), (0.5, 0.52), (-0.55, 0.52)]) * size,
        0.0,
    )
    shore = 0.93 + 0.03 * raster.sine(f.x * 0.9 + relief * 2)
    f.lay((246, 240, 226), f.y - shore + 0.02, 0.02)
    f.lay((222, 190, 138), f.y - shore, 0.02)


def _field(f: _Field) -> None:
    horizon, relief = f["horizon"], f["relief"]
    f.colour = _sky(f, (86, 152, 222), (224, 232, 226))
    f.turns = _sky_turns(f)
    for k, (tone, rise) in enumerate((((122, 158, 168), 0.07), ((88, 138, 92), 0.03))):
        hill = raster.sine(f.x * (0.9 + 0.5 * k) + relief * (2 + 3 * k))
        f.lay(tone, f.y - horizon + rise * (hill + 1), 0.03 * hill)
    ground = f.y - horizon - 0.015
    # Furrows that run together at the horizon under the sun.
    furrow = (f.x - f["sun_x"]) / (ground + 0.12)
    stripe = raster.sine(furrow * 0.9)
    crop = _blend((236, 196, 74), (176, 150, 52), 0.5 + stripe * 0.5)
    green = raster.smooth((f.x - 0.5 + 0.5 * (relief - 0.5)) * 3.0 + ground)
    crop = (
        crop + (_blend((150, 178, 66), (88, 132, 48), 0.5 + stripe * 0.5) - crop) * green[:, None]
    )
    lean = np.clip(furrow * 0.05, -0.2, 0.2)
    f.lay(crop, ground, np.where(furrow > 0, 0.23, -0.23) - lean)
    for k, (place, height) in enumerate(((-0.27, 0.11), (-0.17, 0.14), (0.26, 0.1))):
        px = (f.x - f["object_x"] - place) * f.ratio
        wobble = 1.0 + 0.12 * _noise(f.x * 9, f.y * 9, relief * 5 + k)
        crown = raster.ellipse(px, f.y - horizon + (height * 0.55), height * 0.5, height * 0.75)
        leaves = _blend(
            (46, 92, 50), (118, 154, 64), (px * -4 - (f.y - horizon) * 5 - 0.1) * wobble
        )
        f.lay(leaves, crown, 0.2)
    size = f["object_size"] * 0.14
    u = (f.x - f["object_x"]) * f.ratio / size
    v = (f.y - horizon - 0.03) / size
    f.lay((250, 240, 220), raster.box(u, v + 0.1, 0.9, 0.62) * size, 0.25)
    f.lay((206, 190, 180), raster.box(u - 0.55, v + 0.1, 0.35, 0.62) * size, 0.25)
    f.lay(
        (192, 72, 52),
        raster.polygon(u, v, [(-0.8, -1.35), (0.8, -1.35), (1.12, -0.6), (-1.12, -0.6)]) * size,
        0.0,
    )
    f.lay((70, 60, 72), raster.box(u + 0.25, v - 0.2, 0.2, 0.36) * size, 0.25)
    f.lay((84, 110, 140), raster.box(u - 0.5, v + 0.05, 0.17, 0.2) * size, 0.25)


def _forest(f: _Field) -> None:
    horizon, relief = f["horizon"] + 0.16, f["relief"]
    away = raster.hypot((f.x - f["sun_x"]) * f.ratio, f.y - horizon * f["sun_y"])
    f.colour = _blend((250, 236, 160), (78, 130, 84), away * 1.7)
    f.turns = 0.12 * _noise(f.x * 2, f.y * 2, relief * 4) + 0.12
    leaves = _noise(f.x * 4.0, f.y * 4.0, relief * 6.0)
    canopy = 0.3 + 0.14 * leaves - f.y
    floor = f.y - horizon
    ground = _blend((190, 150, 66), (108, 84, 46), floor * 2 + leaves * 0.5)
    f.lay(ground, floor + 0.02 * leaves, 0.04 * leaves)
    bend = f["object_x"] + 0.16 * raster.sine(floor * 1.1 + relief)
    width = 0.02 + 0.42 * np.maximum(floor, 0.0)
    path = np.minimum(width - np.abs(f.x - bend), floor)
    f.lay(_blend((232, 204, 154), (190, 152, 108), floor * 3), path, 0.0)
    for far in (1, 0):
        count = 9 if far else 5
        t = f.x * count + relief * (5 + 3 * far)
        index = np.floor(t)
        shift = raster.scatter(index, index * 0 + far, 5) - 0.5
        girth = (0.075 if far else 0.14) + 0.07 * raster.scatter(index, index * 0, 6 + far)
        middle = t - index - 0.5 - 0.45 * shift
        trunk = (girth * f["object_size"] - np.abs(middle)) / count
        foot = horizon + (0.0 if far else 0.1 + 0.12 * shift)
        trunk = np.minimum(trunk, foot - f.y)
        keep = np.abs((index + 0.5 - relief * (5 + 3 * far)) / count - f["object_x"])
        trunk = np.where((far == 1) | (keep > 0.13), trunk, -1.0)
        lit = np.clip(0.5 - middle * 4.0, 0.0, 1.0)
        bark = (
            _blend((94, 98, 74), (140, 142, 96), lit)
            if far
            else _blend((52, 36, 34), (128, 88, 62), lit)
        )
        f.lay(bark, trunk, 0.25)
    shade = _blend((34, 86, 52), (150, 178, 62), leaves * 0.7 + 0.35)
    f.lay(shade, canopy, 0.12 + 0.1 * leaves)


def _still_life(f: _Field) -> None:
    horizon, relief, size = f["horizon"] + 0.08, f["relief"], f["object_size"]
    x = (f.x - f["object_x"] * 0.5 - 0.25) * f.ratio / size
    f.colour = _blend((96, 122, 132), (46, 62, 84), f.x * 0.8 + f.y * 0.5)
    wall = _noise(f.x, f.y, relief * 3.0)
    f.colour = f.colour * (1.0 + 0.12 * wall[:, None])
    f.turns = 0.14 + 0.04 * wall
    table = f.y - horizon
    f.lay(_blend((184, 122, 70), (112, 66, 42), table * 2.2), table, 0.0)
    cloth = np.minimum(table - 0.13 - x * 0.25, 0.42 - x)
    folds = raster.sine(x * 3.0 + table * 2.0)
    f.lay(_blend((250, 246, 236), (186, 190, 208), 0.5 + folds * 0.5), cloth, 0.06)
    y = (f.y - horizon) / size
    # Bottle, bowl and fruit, each with its shadow on the table.
    for at, wide in ((0.03, 0.3), (-0.3, 0.13), (0.31, 0.13)):
        shadow = raster.ellipse(x - (at + 0.06), y - 0.17, wide, 0.045)
        f.lay(f.colour * 0.55, shadow, 0.0)
    bottle = np.maximum(
        raster.box(x + 0.3, y + 0.1, 0.075, 0.22) + 0.02, raster.box(x + 0.3, y + 0.42, 0.028, 0.14)
    )
    f.lay(_blend((34, 78, 60), (104, 160, 112), (-x - 0.3) * 7 + 0.4), bottle, 0.25)
    f.lay((232, 220, 186), raster.box(x + 0.3, y + 0.06, 0.07, 0.07), 0.0)
    fruit: tuple[tuple[float, float, float, Colour, Colour], ...] = (
        (-0.08, -0.13, 0.115, (150, 30, 36), (238, 92, 66)),
        (0.17, -0.12, 0.115, (206, 100, 26), (252, 190, 80)),
        (0.045, -0.2, 0.11, (112, 136, 42), (216, 214, 108)),
        (0.33, 0.1, 0.085, (196, 88, 24), (250, 178, 70)),
    )
    for px, py, r, dark, bright in fruit:
        u, v = x - px, y - py
        lit = 0.5 - (u + v) / (2.4 * r)
        round_it = 0.25 * np.abs(u) / (np.abs(u) + np.abs(v) + raster.TINY)
        f.lay(_blend(dark, bright, lit), raster.disc(u, v, r), -round_it * np.sign(u * v))
    u, v = x - 0.04, y + 0.08
    bowl = np.minimum(raster.ellipse(u, v, 0.29, 0.26), v)
    f.lay(_blend((60, 92, 168), (222, 230, 244), 0.5 - u * 2.2), bowl, 0.03)
    f.lay((246, 248, 252), 0.02 - np.abs(v - 0.015) - np.maximum(np.abs(u) - 0.28, 0), 0.0)


_CONTENTS: dict[str, Callable[[_Field], None]] = {
    "field": _field,
    "forest": _forest,
    "lake": _lake,
    "sea": _sea,
    "still_life": _still_life,
}


def _look(factors: pd.DataFrame, x: Float, y: Float, ratio: float) -> tuple[Float, Float]:
    """Colour (B×3×h×w) and stroke direction (B×h×w) of the scenes at points (x, y)."""
    shape = (len(factors), *x.shape[1:])
    colour, turns = np.empty((shape[0], 3, *shape[1:]), np.float32), np.empty(shape, np.float32)
    contents = factors["content"].to_numpy()
    for content, draw in _CONTENTS.items():
        rows = np.flatnonzero(contents == content)
        if not len(rows):
            continue
        f = _Field(factors.iloc[rows], x[rows], y[rows], ratio, colour[rows], turns[rows])
        draw(f)
        colour[rows] = _season(f)
        turns[rows] = f.turns
    return colour, turns


def _season(f: _Field) -> Float:
    """The field's colours in the row's light: warmth, hue and brightness."""
    colour = f.colour
    lean = np.roll(colour, 1, axis=1) - np.roll(colour, -1, axis=1)
    colour = colour + 0.12 * f["hue"][:, None] * lean
    warm = np.asarray([0.09, 0.01, -0.09], np.float32)[:, None, None]
    colour = colour * (1.0 + f["warmth"][:, None] * warm + 0.1 * f["light"][:, None])
    return np.clip(colour, 0.0, 255.0)


@dataclass(frozen=True)
class _Strokes:
    """One layer of strokes; lengths are in cells, of which the shorter side has `cells`."""

    cells: int
    length: float  # half the length of a stroke
    width: float  # half its width
    round: bool = False  # ellipses instead of rectangles
    turns: float | None = None  # a fixed direction, or None: as the scene wants it
    sway: float = 0.02  # random change of direction, turns
    shift: float = 0.33  # random change of place
    value: float = 0.06  # random change of lightness
    hue: float = 0.0  # random change of hue
    vivid: float = 1.0  # saturation
    ink: float = 1.0  # a factor on the colour
    relief: float = 0.0  # light across the stroke, as on thick paint
    darkness: float | None = None  # laid only where the scene is at least so dark
    levels: int = 0  # colours are rounded to so many levels a channel
    opacity: float = 1.0


@dataclass(frozen=True)
class _Style:
    ground: Colour
    layers: tuple[_Strokes, ...]


_STYLES: dict[str, _Style] = {
    "dabs": _Style(
        (176, 158, 132),
        (
            _Strokes(9, 1.0, 0.55, round=True, sway=0.05, value=0.05, hue=0.1, relief=0.06),
            _Strokes(18, 1.0, 0.42, round=True, sway=0.05, value=0.1, hue=0.22, relief=0.14),
            _Strokes(22, 1.0, 0.38, round=True, sway=0.06, value=0.12, hue=0.25, relief=0.16),
        ),
    ),
    "dots": _Style(
        (214, 206, 190),
        (
            _Strokes(14, 0.85, 0.85, round=True, value=0.05, hue=0.15, vivid=1.1),
            _Strokes(20, 0.52, 0.52, round=True, value=0.14, hue=0.45, vivid=1.3),
            _Strokes(22, 0.4, 0.4, round=True, shift=0.6, value=0.22, hue=0.7, vivid=1.35),
        ),
    ),
    "flats": _Style(
        (120, 104, 92),
        (
            _Strokes(6, 0.98, 0.62, sway=0.015, value=0.03, levels=9, shift=0.2),
            _Strokes(11, 0.98, 0.6, sway=0.012, value=0.05, levels=9, shift=0.2, relief=0.03),
            _Strokes(18, 0.95, 0.55, sway=0.01, value=0.02, levels=9, shift=0.2),
        ),
    ),
    "hatching": _Style(
        (250, 246, 234),
        (
            _Strokes(10, 1.0, 1.0, round=True, opacity=0.3, shift=0.2, value=0.0),
            _Strokes(
                21,
                1.22,
                0.15,
                turns=-0.13,
                sway=0.012,
                shift=0.27,
                ink=0.84,
                vivid=1.2,
                darkness=0.16,
            ),
            _Strokes(21, 1.22, 0.15, turns=0.12, sway=0.012, shift=0.27, ink=0.68, darkness=0.46),
            _Strokes(21, 1.1, 0.16, turns=-0.08, sway=0.012, shift=0.27, ink=0.5, darkness=0.66),
        ),
    ),
}


def _brush(colour: Float, layer: _Strokes, jitter: list[Float], amount: Float) -> Float:
    """The field's `colour` as this layer's paint, varied from stroke to stroke; B×3×h×w."""
    mean = colour.mean(axis=1, keepdims=True)
    colour = mean + (colour - mean) * layer.vivid
    lean = np.roll(colour, 1, axis=1) - np.roll(colour, -1, axis=1)
    swing = (jitter[0] - 0.5) * amount
    colour = colour + layer.hue * swing[:, None] * (lean + 14.0 * np.sign(lean))
    change = 1.0 + (2 * layer.value) * ((jitter[1] - 0.5) * amount)[:, None]
    colour = np.clip(colour * change * layer.ink, 0.0, 255.0)
    if layer.levels:
        step = 255.0 / layer.levels
        colour = (np.floor(colour / step) + 0.5) * step
    return colour


def _lay_strokes(picture: Float, factors: pd.DataFrame, layer: _Strokes, salt: int) -> Float:
    """Paint one layer over `picture`, 3×H×W×B.

    One stroke starts in each cell of a square lattice and reaches at most one cell beyond it. So
    strokes three cells apart never meet, and a layer is laid in nine rounds, each of which paints
    a ninth of the strokes side by side.
    """
    _, height, width, count = picture.shape
    side = max(2, round(min(height, width) / layer.cells))
    rows, columns = (-(-(-(-size // side) + 2) // 3) for size in (height, width))
    canvas = np.zeros((3, (3 * rows + 2) * side, (3 * columns + 2) * side, count), np.float32)
    inner = (slice(None), slice(2 * side, 2 * side + height), slice(2 * side, 2 * side + width))
    canvas[inner] = picture

    # The strokes of cells 1 … 3·rows; the picture begins at cell 2.
    seed = np.floor(raster.column(factors, "stroke_seed") * 4096.0) * 512.0
    i = np.arange(1, 3 * rows + 1, dtype=np.float32)[None, :, None] + seed
    j = np.arange(1, 3 * columns + 1, dtype=np.float32)[None, None, :] + np.zeros_like(i)
    i = i + np.zeros_like(j)
    jitter = [raster.scatter(i, j, 10 * salt + k) for k in range(6)]
    shift = layer.shift
    dx, dy = ((jitter[k] - 0.5) * shift * 2.0 for k in (2, 3))
    x = ((j - 1.5) + dx) * (side / width)
    y = ((i - seed - 1.5) + dy) * (side / height)
    colour, wanted = _look(factors, x, y, width / height)
    turns = wanted if layer.turns is None else np.full_like(wanted, layer.turns)
    tilt = 0.03 * raster.column(factors, "stroke_angle")
    turns = turns + tilt + (2 * layer.sway) * (jitter[4] - 0.5)
    amount = raster.column(factors, "stroke_colour")
    share = np.full_like(turns, layer.opacity)
    if layer.darkness is not None:
        dark = 1.0 - colour.mean(axis=1) / 255.0
        share = share * raster.smooth((dark - layer.darkness) * 6.0 + jitter[5] - 0.5)
    paint = _brush(colour, layer, jitter, amount)

    cosine, sine = raster.cosine(turns), raster.sine(turns)
    size = factors["stroke_size"].to_numpy(np.float32)
    length, breadth = size * (layer.length * side), size * (layer.width * side)
    strokes = [_pictures_last(p) for p in (cosine, sine, dx * side, dy * side, share)]
    paint = _pictures_last(paint)
    local = np.arange(3 * side, dtype=np.float32) + 0.5 - (1.5 * side)
    for a in range(3):
        for b in range(3):
            c, s, mx, my, opacity = (p[a::3, None, b::3, None] for p in strokes)
            across_x = local[:, None] - mx
            down_y = local[:, None, None, None] - my
            along = across_x * c + down_y * s
            across = down_y * c - across_x * s
            if layer.round:
                reach = raster.hypot(along / length, across / breadth)
                cover = raster.cover((1.0 - reach) * breadth, 1.0)
            else:
                edge = np.minimum(length - np.abs(along), breadth - np.abs(across))
                cover = np.minimum(raster.cover(edge, 1.0), breadth * 2)
            cover *= opacity
            lit = 1.0 - layer.relief * across / breadth
            window = canvas[
                :, a * side : (a + 3 * rows) * side, b * side : (b + 3 * columns) * side
            ]
            window = window.reshape(3, rows, 3 * side, columns, 3 * side, count)
            for plane, tone in zip(window, paint[:, a::3, None, b::3, None], strict=True):
                plane += cover * (tone * lit - plane)
    return canvas[inner]


def _pictures_last(planes: Float) -> Float:
    """B×… as …×B: numpy is quickest where the last axis is long."""
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def _paint(factors: pd.DataFrame, height: int, width: int) -> Bytes:
    style = _STYLES[str(factors["style"].iloc[0])]
    ground = np.asarray(style.ground, np.float32)[:, None, None, None]
    picture = np.broadcast_to(ground, (3, height, width, len(factors)))
    for salt, layer in enumerate(style.layers):
        picture = _lay_strokes(picture, factors, layer, salt)
    return raster.finish(np.moveaxis(picture, -1, 0))


def _sample(count: int, seed: int) -> Columns:
    columns: Columns = {
        name: choice(f"brushwork.{name}", count, seed, values) for name, values in VALUES.items()
    }
    return {**columns, **uniforms("brushwork", RANGES, count, seed)}


brushwork = Drawing(
    name="brushwork",
    label="style",
    description=(
        "A scene painted in one of four techniques. Factors: style (dabs: short thick strokes "
        "along the forms; dots: round touches of pure colour; flats: broad flat strokes; hatching: "
        "crossed lines over a wash); content (field, forest, lake, sea, still_life); of the "
        "content: horizon 0.42 to 0.6 of the height from the top; sun_x 0.15 to 0.85 of the width; "
        "sun_y 0.25 to 0.75 of the sky; warmth, light and hue from −1 to 1 of their small ranges; "
        "relief 0 to 1, the phase of hills, waves and trees; object_x 0.25 to 0.75 of the width, "
        "where house, boat, path or bowl is; object_size 0.8 to 1.2; of the strokes: stroke_size "
        "0.85 to 1.15; stroke_angle ±1, a tilt of up to 11°; stroke_colour 0.5 to 1.5, how much "
        "their colours differ; stroke_seed 0 to 1, where they fall. Editing style leaves the scene "
        "as it is; editing content leaves the manner."
    ),
    ranges=RANGES,
    values=VALUES,
    sample=_sample,
    paint=_paint,
    kind="style",
)
