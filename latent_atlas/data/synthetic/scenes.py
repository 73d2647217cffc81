"""Landscapes with at most one object per quadrant, with known class and place.

The quadrants q1 to q4 are top left, top right, bottom left and bottom right. All factors of an
object are in the columns of its quadrant, and the object stays within that quadrant, with its
border and shadow. The picture of a mixed scene is therefore the picture of a mixed row, see `mix`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import (
    Bytes,
    Columns,
    Drawing,
    Float,
    choice,
    uniform,
    uniforms,
)

QUADRANTS = ("q1", "q2", "q3", "q4")
PARTS = ("class", "x", "y", "size", "hue")
CLASSES = ("ball", "boat", "car", "fish", "house", "mushroom", "star", "tree")
EMPTY = "none"
EMPTY_SHARE = 0.25

VALUES: dict[str, tuple[str, ...]] = {
    "background": ("beach", "desert", "meadow", "mountains", "night"),
    **{f"{quadrant}_class": (*CLASSES, EMPTY) for quadrant in QUADRANTS},
}
OBJECT = {"x": (0.0, 1.0), "y": (0.0, 1.0), "size": (0.6, 0.95), "hue": (0.0, 1.0)}
RANGES: dict[str, tuple[float, float]] = {
    "horizon": (0.42, 0.62),
    "relief": (0.0, 1.0),
    "sun": (0.1, 0.9),
    "sky_hue": (-1.0, 1.0),
    "ground_hue": (-1.0, 1.0),
    "light": (-1.0, 1.0),
    **{f"{quadrant}_{part}": span for quadrant in QUADRANTS for part, span in OBJECT.items()},
}

Colour = tuple[float, float, float]
# An object's parts from back to front: signed distance and colour (one per row, or one for all).
Parts = list[tuple[Float, Float | Colour]]


def mix(reference: pd.DataFrame, donors: Sequence[pd.DataFrame | None]) -> pd.DataFrame:
    """The factors of mixed scenes: quadrant k's object of ``donors[k]`` on the reference's land.

    Args:
        reference: factors of B scenes; they give the background and every quadrant without donor.
        donors: for each quadrant in turn the factors of B scenes, or None.

    Raises:
        ValueError: there are not four donors, or one has another number of rows.
    """
    if len(donors) != len(QUADRANTS):
        raise ValueError(f"scenes: {len(donors)} donors for {len(QUADRANTS)} quadrants")
    mixed = reference.copy()
    for quadrant, donor in zip(QUADRANTS, donors, strict=True):
        if donor is None:
            continue
        if len(donor) != len(reference):
            raise ValueError(
                f"scenes: {quadrant} has {len(donor)} donors for {len(reference)} scenes"
            )
        for part in PARTS:
            mixed[f"{quadrant}_{part}"] = donor[f"{quadrant}_{part}"].to_numpy()
    return mixed


def _sample(count: int, seed: int) -> Columns:
    columns: Columns = {
        "background": choice("scenes.background", count, seed, VALUES["background"])
    }
    empty = np.stack([uniform(f"scenes.{q}_empty", count, seed) < EMPTY_SHARE for q in QUADRANTS])
    # A scene without any object gets one, in a quadrant drawn evenly.
    kept = np.floor(uniform("scenes.kept", count, seed, 0.0, 4.0)).astype(np.intp)
    bare = np.flatnonzero(empty.all(axis=0))
    empty[kept[bare], bare] = False
    for quadrant, absent in zip(QUADRANTS, empty, strict=True):
        present = choice(f"scenes.{quadrant}_class", count, seed, CLASSES)
        columns[f"{quadrant}_class"] = np.where(absent, EMPTY, present)
    return {**columns, **uniforms("scenes", RANGES, count, seed)}


def _ball(u: Float, v: Float, own: Float) -> Parts:
    tu, tv = raster.rotate(u, v, np.full((1, 1, 1), 0.08, np.float32))
    whole = raster.disc(u, v, 0.88)
    panel = raster.ellipse(tu, tv, 0.36, 0.9)
    side = -raster.ellipse(tu, tv, 0.74, 1.1)
    shine = raster.ellipse(u + 0.34, v + 0.42, 0.2, 0.14)
    return [
        (whole, own),
        (np.minimum(whole, panel), (250, 246, 238)),
        (np.minimum(whole, side), (250, 246, 238)),
        (
            np.minimum(whole, raster.disc(u + 0.25, v + 0.3, 1.02) * -1),
            own * 0.72,
        ),
        (raster.disc(tu, tv, 0.14), own * 0.8),
        (shine, (255, 255, 255)),
    ]


def _boat(u: Float, v: Float, own: Float) -> Parts:
    hull = raster.polygon(u, v, [(-0.9, 0.36), (0.9, 0.36), (0.56, 0.84), (-0.62, 0.84)])
    return [
        (raster.box(u - 0.02, v + 0.22, 0.05, 0.62), (104, 72, 50)),
        (raster.polygon(u, v, [(0.1, -0.82), (0.78, 0.24), (0.1, 0.24)]), (250, 246, 236)),
        (raster.polygon(u, v, [(-0.06, -0.6), (-0.06, 0.24), (-0.66, 0.24)]), own * 0.4 + 153.0),
        (hull, own),
        (np.minimum(hull, 0.5 - v), own * 0.4 + 150.0),
        (np.minimum(hull, v - 0.72), own * 0.6),
    ]


def _car(u: Float, v: Float, own: Float) -> Parts:
    parts: Parts = [
        (
            raster.polygon(u, v, [(-0.36, -0.5), (0.28, -0.5), (0.6, 0.06), (-0.62, 0.06)]),
            own * 0.85,
        ),
        (
            raster.polygon(u, v, [(-0.3, -0.38), (-0.05, -0.38), (-0.05, 0.0), (-0.47, 0.0)]),
            (196, 228, 244),
        ),
        (
            raster.polygon(u, v, [(0.05, -0.38), (0.23, -0.38), (0.45, 0.0), (0.05, 0.0)]),
            (196, 228, 244),
        ),
        (raster.box(u, v - 0.25, 0.8, 0.12) + 0.12, own),
        (raster.box(u, v - 0.44, 0.8, 0.07), own * 0.7),
        (raster.disc(u - 0.84, v - 0.2, 0.09), (255, 236, 150)),
    ]
    for x in (-0.46, 0.48):
        wheel = x
        parts.append((raster.disc(u - wheel, v - 0.5, 0.27), (44, 44, 50)))
        parts.append((raster.disc(u - wheel, v - 0.5, 0.12), (206, 208, 214)))
    return parts


def _fish(u: Float, v: Float, own: Float) -> Parts:
    body = raster.ellipse(u - 0.14, v, 0.7, 0.48)
    stripe = np.minimum(np.abs(u - 0.02), np.abs(u + 0.26))
    return [
        (raster.polygon(u, v, [(-0.9, -0.5), (-0.4, 0.0), (-0.9, 0.5), (-0.74, 0.0)]), own * 0.75),
        (raster.polygon(u, v, [(-0.2, -0.3), (0.0, -0.72), (0.36, -0.36)]), own * 0.75),
        (body, own),
        (np.minimum(body, 0.07 - stripe), (252, 248, 240)),
        (np.minimum(body, v - 0.2), own * 0.4 + 150.0),
        (raster.disc(u - 0.5, v + 0.12, 0.14), (255, 255, 255)),
        (raster.disc(u - 0.53, v + 0.12, 0.075), (30, 30, 36)),
    ]


def _house(u: Float, v: Float, own: Float) -> Parts:
    parts: Parts = [
        (raster.box(u - 0.46, v + 0.5, 0.12, 0.3), (150, 92, 74)),
        (raster.box(u, v - 0.36, 0.66, 0.5), (246, 232, 206)),
        (raster.box(u, v - 0.74, 0.66, 0.12), (214, 194, 164)),
        (raster.polygon(u, v, [(0.0, -0.86), (0.9, -0.06), (-0.9, -0.06)]), own),
        (raster.polygon(u, v, [(0.0, -0.86), (0.9, -0.06), (0.2, -0.06)]), own * 0.8),
        (raster.box(u, v - 0.53, 0.17, 0.33), own * 0.55),
    ]
    for x in (-0.42, 0.42):
        pane = raster.box(u - x, v - 0.3, 0.15, 0.15)
        parts.append((pane, (120, 176, 214)))
    return parts


def _mushroom(u: Float, v: Float, own: Float) -> Parts:
    cap = np.minimum(raster.ellipse(u, v - 0.12, 0.88, 0.94), 0.12 - v)
    parts: Parts = [
        (raster.ellipse(u, v - 0.46, 0.32, 0.42), (248, 238, 218)),
        (raster.ellipse(u - 0.14, v - 0.5, 0.14, 0.32), (224, 208, 184)),
        (raster.ellipse(u, v - 0.1, 0.86, 0.16), own * 0.55),
        (cap, own),
    ]
    for x, y, r in (
        (-0.42, -0.18, 0.14),
        (0.08, -0.46, 0.17),
        (0.48, -0.12, 0.13),
        (0.02, -0.06, 0.09),
    ):
        spot = raster.disc(u - x, v - y, r)
        parts.append((np.minimum(cap, spot), (255, 252, 244)))
    return parts


def _pentagram(radius: float) -> list[tuple[float, float]]:
    # Corners at the fifths of a turn; the inner ones lie on the chords of the outer.
    c1, s1, c2, s2 = 0.309017, 0.951057, -0.809017, 0.587785
    outer = [(0.0, -1.0), (s1, -c1), (s2, -c2), (-s2, -c2), (-s1, -c1)]
    ratio = 0.5
    inner = [(-ratio * x, -ratio * y) for x, y in outer[3:] + outer[:3]]
    return [(radius * x, radius * y) for pair in zip(outer, inner, strict=True) for x, y in pair]


def _star(u: Float, v: Float, own: Float) -> Parts:
    return [
        (raster.polygon(u, v, _pentagram(0.9)), own * 0.78),
        (raster.polygon(u, v, _pentagram(0.62)), own),
        (raster.disc(u + 0.1, v + 0.06, 0.1), own * 0.4 + 153.0),
    ]


def _tree(u: Float, v: Float, own: Float) -> Parts:
    parts: Parts = [
        (
            raster.polygon(u, v, [(-0.1, 0.0), (0.1, 0.0), (0.17, 0.88), (-0.17, 0.88)]),
            (122, 82, 54),
        ),
        (raster.polygon(u, v, [(0.02, 0.0), (0.1, 0.0), (0.17, 0.88), (0.04, 0.88)]), (94, 62, 42)),
    ]
    crown = ((0.4, 0.0, 0.42), (-0.4, 0.0, 0.42), (0.0, -0.4, 0.48), (0.0, 0.08, 0.4))
    for x, y, r in crown:
        parts.append((raster.disc(u - x, v - y, r), own * 0.72))
    for x, y, r in ((0.3, -0.08, 0.3), (-0.42, -0.06, 0.3), (-0.06, -0.46, 0.36)):
        parts.append((raster.disc(u - x, v - y, r), own))
    for x, y, r in ((-0.2, -0.56, 0.12), (-0.5, -0.14, 0.1), (0.24, -0.2, 0.1)):
        parts.append((raster.disc(u - x, v - y, r), own * 0.55 + 112.0))
    return parts


_OBJECTS: dict[str, Callable[[Float, Float, Float], Parts]] = {
    "ball": _ball,
    "boat": _boat,
    "car": _car,
    "fish": _fish,
    "house": _house,
    "mushroom": _mushroom,
    "star": _star,
    "tree": _tree,
}


def _place(quads: Float, rows: npt.NDArray[np.intp], traits: dict[str, Float], kind: str) -> None:
    """Draw one class of objects into the quadrants `rows` of `quads`, N×3×h×w, in place."""
    picture = quads[rows]
    height, width = picture.shape[2:]
    x, y = raster.axes(height, width)
    at_x, at_y, size = (traits[name][rows][:, None, None] for name in ("x", "y", "size"))
    half = size * (min(height, width) / 2)
    unit = half / 1.08  # leaves room for border and shadow
    u = (x - half - at_x * (width - half * 2)) / unit
    v = (y - half - at_y * (height - half * 2)) / unit
    pixel = 1.0 / unit
    parts = _OBJECTS[kind](u, v, raster.hsv(traits["hue"][rows], 0.68, 0.92))
    outline = parts[0][0]
    for distance, _ in parts[1:]:
        outline = np.maximum(outline, distance)
    # A sticker's white border, and its shadow on the land.
    shadow = np.clip(1.0 + outline * 5.0, 0.0, 1.0)
    raster.mix(picture, 20.0, 0.35 * shadow * shadow)
    raster.mix(picture, 252.0, raster.cover(outline + 0.07, pixel))
    for distance, colour in parts:
        tone = np.asarray(colour, np.float32).reshape(-1, 3)[:, :, None, None]
        raster.mix(picture, tone, raster.cover(distance, pixel))
    quads[rows] = picture


def _tone(colour: Colour, hue: Float, light: Float) -> Float:
    """A colour for each row, B×3×1×1: shifted towards a neighbouring hue, and brightened."""
    base = raster.rgb(colour)
    lean = np.roll(base, 1, axis=1) - np.roll(base, -1, axis=1)
    tone = (base + 0.13 * hue * lean) * (1.0 + 0.09 * light)
    return np.clip(tone, 0.0, 255.0).transpose(0, 2, 1)[..., None]


# Each background's colours: sky above and at the horizon, far and near ridge, ground far and near.
_LAND: dict[str, tuple[Colour, Colour, Colour, Colour, Colour, Colour]] = {
    "beach": (
        (106, 182, 226),
        (214, 236, 242),
        (48, 132, 176),
        (92, 178, 196),
        (244, 226, 180),
        (226, 196, 140),
    ),
    "desert": (
        (232, 176, 132),
        (252, 226, 180),
        (206, 132, 96),
        (190, 108, 74),
        (236, 184, 120),
        (214, 150, 88),
    ),
    "meadow": (
        (124, 184, 236),
        (222, 238, 246),
        (122, 168, 138),
        (104, 164, 92),
        (150, 196, 92),
        (96, 152, 62),
    ),
    "mountains": (
        (132, 172, 220),
        (232, 238, 244),
        (124, 138, 170),
        (84, 104, 116),
        (136, 170, 124),
        (92, 136, 88),
    ),
    "night": ((22, 28, 66), (74, 74, 126), (42, 46, 84), (32, 40, 66), (44, 66, 74), (24, 42, 48)),
}
# Height of the two ridges above the horizon, and their jaggedness (0 waves, 1 peaks).
_RIDGES = {
    "beach": ((0.0, 0.0), (-0.09, 0.0)),
    "desert": ((0.09, 0.0), (0.02, 0.0)),
    "meadow": ((0.11, 0.0), (0.03, 0.0)),
    "mountains": ((0.26, 1.0), (0.08, 0.4)),
    "night": ((0.15, 0.6), (0.05, 0.0)),
}


def _ridge(x: Float, phase: Float, waves: float, jagged: float) -> Float:
    """A skyline between 0 and 1 along x, B×1×W."""
    t = x * waves + phase
    wave = 0.5 + 0.5 * raster.sine(t)
    tooth = np.abs(t - np.floor(t) - 0.5) * 2.0
    crag = t * 3.1
    fine = np.abs(crag - np.floor(crag) - 0.5) * 0.3
    return wave + jagged * (0.9 * tooth + fine - wave)


def _stars(x: Float, y: Float, horizon: Float, relief: Float, pixel: float) -> Float:
    """Coverage of small stars scattered over the sky, B×H×W."""
    tu, tv = (x + relief * 5.0) * 9.0, y * 9.0
    i, j = np.floor(tu), np.floor(tv)
    du = tu - i - 0.2 - 0.6 * raster.scatter(i, j, 1)
    dv = tv - j - 0.2 - 0.6 * raster.scatter(i, j, 2)
    bright = raster.scatter(i, j, 3)
    size = 0.012 * bright
    return raster.cover(raster.disc(du / 9, dv / 9, size), pixel) * (bright > 0.35) * (y < horizon)


def _background(factors: pd.DataFrame, height: int, width: int) -> Float:
    """The land without its objects, B×3×H×W in 0 to 255."""
    kind = str(factors["background"].iloc[0])
    column = {name: raster.column(factors, name) for name in RANGES}
    px, py = raster.axes(height, width)
    x, y = px / width, py / height
    pixel = 1.0 / height
    tones = [
        _tone(colour, column["sky_hue" if k < 2 else "ground_hue"], column["light"])
        for k, colour in enumerate(_LAND[kind])
    ]
    horizon, relief = column["horizon"], column["relief"]
    fall = np.clip(y / horizon, 0.0, 1.0)[:, None]
    picture = np.broadcast_to(
        tones[0] + (tones[1] - tones[0]) * fall, (len(factors), 3, height, width)
    ).copy()
    sun_x, sun_y = x - column["sun"], y - horizon * 0.42
    ratio = width / height
    glow = np.clip(1.0 - raster.hypot(sun_x * ratio, sun_y) * 2.6, 0.0, 1.0)
    raster.mix(picture, 255.0, 0.45 * glow * glow)
    globe = raster.cover(raster.disc(sun_x * ratio, sun_y, 0.055), pixel)
    raster.mix(picture, raster.rgb((255, 250, 226))[:, :, None, None], globe)
    if kind == "night":
        raster.mix(picture, 250.0, _stars(x, y, horizon, relief, pixel))
    for k, (rise, jagged) in enumerate(_RIDGES[kind]):
        skyline = _ridge(x, relief * (3 + 4 * k), 1.3 + 0.7 * k, jagged)
        top = horizon - rise * skyline
        below = raster.cover(y - top, pixel)
        raster.mix(picture, tones[2 + k], below)
        if kind == "mountains" and k == 0:
            snow = below * raster.smooth((horizon - 0.16 - y) / 0.04)
            raster.mix(picture, 250.0, 0.85 * snow)
    start = horizon + (0.13 if kind == "beach" else 0.07)
    shore = start + 0.025 * raster.sine(x * 0.8 + relief * 2.0)
    depth = np.clip((y - shore) / (1.0 - shore), 0.0, 1.0)[:, None]
    ground = tones[4] + (tones[5] - tones[4]) * depth
    raster.mix(picture, ground, raster.cover(y - shore, pixel))
    return picture


def _paint(factors: pd.DataFrame, height: int, width: int) -> Bytes:
    if height % 2 or width % 2:
        raise ValueError(f"scenes: sides {height}×{width} must be even, to be cut into quadrants")
    count = len(factors)
    half = (height // 2, width // 2)
    land = _background(factors, height, width).reshape(count, 3, 2, half[0], 2, half[1])
    quads = land.transpose(2, 4, 0, 1, 3, 5).reshape(4 * count, 3, *half)
    traits = {
        part: np.concatenate([factors[f"{q}_{part}"].to_numpy(np.float32) for q in QUADRANTS])
        for part in OBJECT
    }
    classes = np.concatenate([factors[f"{q}_class"].to_numpy() for q in QUADRANTS])
    for kind in CLASSES:
        rows = np.flatnonzero(classes == kind)
        if len(rows):
            _place(quads, rows, traits, kind)
    whole = quads.reshape(2, 2, count, 3, *half).transpose(2, 3, 0, 4, 1, 5)
    return raster.finish(whole.reshape(count, 3, height, width))


scenes = Drawing(
    name="scenes",
    label=None,
    description=(
        "A landscape with at most one object in each quadrant, and at least one in all: q1 top "
        "left, q2 top right, q3 bottom left, q4 bottom right. Factors: background (beach, desert, "
        "meadow, mountains, night); horizon 0.42 to 0.62 of the height from the top; relief 0 to "
        "1, the hills' phase; sun 0.1 to 0.9 of the width; sky_hue, ground_hue and light from −1 "
        "to 1 of their small ranges. For each quadrant: qN_class (ball, boat, car, fish, house, "
        "mushroom, star, tree, or none for a quarter of them); qN_size 0.6 to 0.95 of the "
        "quadrant's shorter side; qN_x and qN_y 0 to 1, from the leftmost and topmost place at "
        "which the object lies in the quadrant to the last; qN_hue 0 to 1, turns of the colour "
        "circle. The last four have no effect where the class is none. A picture has several "
        "objects, so there is no label."
    ),
    ranges=RANGES,
    values=VALUES,
    sample=_sample,
    paint=_paint,
    kind="background",
)
