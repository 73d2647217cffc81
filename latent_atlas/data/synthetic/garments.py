"""Clothes drawn flat on a near-white background, with the attributes of a fashion catalogue.

The attributes are those of the fashion translation study (category, color, length, sleeve_length,
neckline, fit, pattern); editing one and drawing again gives the true counterfactual. A category's
cut (``garment_cuts``) gives the cloth, a pattern (``garment_patterns``) the print on it, and this
module the colours. All drawn clothes have a length, a fit and a pattern, so "none" is a value of
sleeve_length and neckline only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Bytes, Columns, Drawing, Float, choice, uniforms
from latent_atlas.data.synthetic.garment_cuts import CUTS, Cloth, Table, table
from latent_atlas.data.synthetic.garment_patterns import PATTERNS, Weave, netting, scallops

Colour = tuple[float, float, float]

COLORS: dict[str, Colour] = {
    "beige": (212, 192, 158),
    "black": (54, 53, 58),
    "blue": (52, 88, 168),
    "gray": (141, 144, 149),
    "green": (56, 126, 74),
    "pink": (240, 142, 180),
    "red": (196, 36, 46),
    "white": (247, 246, 243),
    "yellow": (246, 204, 62),
}
# Accent colours of a pattern: first that of the motif, then the second one.
ACCENTS: dict[str, tuple[Colour, Colour]] = {
    "beige": ((120, 78, 50), (74, 104, 92)),
    "black": ((238, 236, 230), (196, 70, 80)),
    "blue": ((240, 242, 248), (246, 196, 84)),
    "gray": ((246, 246, 246), (62, 66, 76)),
    "green": ((244, 240, 214), (238, 168, 70)),
    "pink": ((250, 246, 246), (190, 52, 104)),
    "red": ((252, 236, 226), (60, 26, 40)),
    "white": ((42, 66, 128), (214, 84, 92)),
    "yellow": ((250, 250, 240), (196, 92, 40)),
}

_TOP_LENGTHS = ("long", "normal", "short")
_SKIRT_LENGTHS = ("knee", "long", "short")
_SLEEVES = ("half", "long", "short", "sleeveless")
_NECKLINES = ("back", "deep", "lines", "round", "v", "wide")
_NONE = ("none",)

# Attribute values that a category can have; "none" where the attribute makes no sense for it.
LEGAL: dict[str, dict[str, tuple[str, ...]]] = {
    category: {"length": lengths, "sleeve_length": sleeves, "neckline": necklines}
    for category, lengths, sleeves, necklines in (
        ("blouses", _TOP_LENGTHS, _SLEEVES, _NECKLINES),
        ("dresses", _SKIRT_LENGTHS, _SLEEVES, _NECKLINES),
        ("jackets", _TOP_LENGTHS, _SLEEVES, _NONE),
        ("knitwear", _TOP_LENGTHS, _SLEEVES, _NECKLINES),
        ("pants", ("3-4", "knee", "long", "short"), _NONE, _NONE),
        ("skirts", _SKIRT_LENGTHS, _NONE, _NONE),
        ("tops", _TOP_LENGTHS, _SLEEVES, _NECKLINES),
    )
}
VALUES: dict[str, tuple[str, ...]] = {
    "category": tuple(LEGAL),
    "color": tuple(COLORS),
    "length": ("3-4", "knee", "long", "normal", "short"),
    "sleeve_length": (*_SLEEVES, "none"),
    "neckline": (*_NECKLINES, "none"),
    "fit": ("loose", "normal", "tight"),
    "pattern": ("floral", "lace", "polkadots", "print", "stripes", "unicolors"),
}
RANGES: dict[str, tuple[float, float]] = {
    "shift_x": (-1.0, 1.0),
    "shift_y": (-1.5, 1.5),
    "scale": (0.93, 1.0),
    "hue": (-1.0, 1.0),
    "brightness": (-1.0, 1.0),
    "backdrop": (0.0, 1.0),
    "waist": (-1.0, 1.0),
    "flare": (-1.0, 1.0),
    "sleeve_angle": (-1.0, 1.0),
    "folds": (0.0, 1.0),
    "pattern_x": (0.0, 1.0),
    "pattern_y": (0.0, 1.0),
    "pattern_scale": (0.9, 1.2),
}


def _sample(count: int, seed: int) -> Columns:
    columns: Columns = {
        name: choice(f"garments.{name}", count, seed, VALUES[name])
        for name in ("category", "color", "fit", "pattern")
    }
    for name in ("length", "sleeve_length", "neckline"):
        columns[name] = np.full(count, "none", dtype="U10")
        for category, legal in LEGAL.items():
            rows = columns["category"] == category
            columns[name][rows] = choice(f"garments.{name}", count, seed, legal[name])[rows]
    factors: Columns = {name: columns[name] for name in VALUES}
    return {**factors, **uniforms("garments", RANGES, count, seed)}


def _legal(factors: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which garments can be drawn: pants have no sleeves, whatever their length."""
    legal = np.ones(len(factors), np.bool_)
    for category, values in LEGAL.items():
        rows = (factors["category"] == category).to_numpy(np.bool_)
        for name, allowed in values.items():
            legal[rows] &= factors[name].isin(allowed).to_numpy(np.bool_)[rows]
    return legal


def _refuse_illegal(factors: pd.DataFrame) -> None:
    for category, rows in factors.groupby("category", sort=False):
        for name, legal in LEGAL[str(category)].items():
            unknown = ~rows[name].isin(legal).to_numpy()
            if unknown.any():
                found = rows[name].iloc[int(unknown.argmax())]
                raise ValueError(
                    f"garments: {name} {found!r} is not drawn for {category}, "
                    f"expected one of {', '.join(legal)}"
                )


def _dye(colors: pd.Series, table: dict[str, Colour]) -> Float:
    """Each row's colour, B×3×1×1."""
    listed = raster.rgb(*table.values())
    rows = [list(table).index(color) for color in colors]
    return listed[rows][:, :, None, None]


def _tint(colour: Float, hue: Float, brightness: Float) -> Float:
    """`colour` with its channels shifted towards their neighbours by `hue`, and brightened."""
    turn = np.roll(colour, 1, axis=1) - np.roll(colour, -1, axis=1)
    spread = np.abs(colour - colour.mean(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
    lean = 0.05 * hue[:, None] * turn * (1.0 + spread / 400.0)
    return np.clip((colour + lean) * (1.0 + 0.06 * brightness[:, None]), 0.0, 255.0)


def _print_pattern(t: Table, cloth: Cloth) -> tuple[Float, Float, Float]:
    """Shares of both accent colours and of lace's holes, B×H×W; lace gets a scalloped hem too."""
    shape = cloth.outline.shape
    scale = t["pattern_scale"]
    u = np.broadcast_to(cloth.u / scale + t["pattern_x"] * 97.0, shape)
    v = np.broadcast_to(cloth.v / scale + t["pattern_y"] * 83.0, shape)
    hem = np.broadcast_to(cloth.hem, shape)
    pixel = t.pixel / scale
    first, second, holes = (np.zeros(shape, np.float32) for _ in range(3))
    patterns = t.factors["pattern"].to_numpy()
    for pattern in VALUES["pattern"]:
        rows = np.flatnonzero(patterns == pattern)
        if not len(rows):
            continue
        weave = Weave(u[rows], v[rows], pixel[rows])
        if pattern == "lace":
            holes[rows] = netting(weave)
            cloth.outline[rows] = np.minimum(cloth.outline[rows], hem[rows] - scallops(weave))
        else:
            first[rows], second[rows] = PATTERNS[pattern](weave)
    return first, second, holes


def _paint(factors: pd.DataFrame, height: int, width: int) -> Bytes:
    _refuse_illegal(factors)
    t = table(factors, height, width)
    cloth = CUTS[str(factors["category"].iloc[0])](t)
    first, second, holes = _print_pattern(t, cloth)
    base = _tint(_dye(factors["color"], COLORS), t["hue"], t["brightness"])
    motif, detail = (
        _dye(factors["color"], {color: pair[k] for color, pair in ACCENTS.items()}) for k in (0, 1)
    )
    pale = base.mean(axis=1, keepdims=True) > 150.0
    trim = np.where(pale, base * 0.95, base * 1.1 + 12.0)
    metal = np.where(pale, np.float32(118.0), np.float32(226.0))

    picture = np.repeat(base, height, axis=2).repeat(width, axis=3)
    raster.mix(picture, motif, first)
    raster.mix(picture, detail, second)
    raster.mix(picture, trim, cloth.trim)
    raster.mix(picture, metal, cloth.metal)
    picture *= cloth.shade[:, None]
    raster.mix(picture, base * 0.62, cloth.inside)

    # A backdrop that darkens downwards, and a soft shadow on it around the cloth.
    shadow = np.clip(1.0 + cloth.outline / 5.0, 0.0, 1.0)
    backdrop = (240.0 + 10.0 * t["backdrop"] - t.y / 16.0) * (1.0 - 0.09 * shadow * shadow * shadow)
    canvas = np.repeat(backdrop[:, None], 3, axis=1)
    opaque = 1.0 - 0.78 * holes * (1.0 - cloth.trim)
    raster.mix(canvas, picture, raster.cover(cloth.outline, t.pixel) * opaque)
    return raster.finish(canvas)


garments = Drawing(
    name="garments",
    label="category",
    description=(
        "One garment lying flat on a near-white background. Attributes: category, color, length, "
        "sleeve_length, neckline, fit, pattern; sleeve_length is none for pants and skirts, "
        "neckline for jackets, pants and skirts. Nuisances, in units of which a 96×64 picture has "
        "one a pixel: shift_x ±1 and shift_y ±1.5 units; scale 0.93 to 1 of full size; hue, "
        "brightness, waist, flare and sleeve_angle from −1 to 1 of their small ranges (waist ±0.5 "
        "and flare ±1 units, sleeve_angle ±3°); backdrop 0 to 1, from light grey to near white; "
        "folds, pattern_x and pattern_y 0 to 1, phases; pattern_scale 0.9 to 1.2. Every picture "
        "shows the 2:3 frame at the largest size that fits, centred."
    ),
    ranges=RANGES,
    values=VALUES,
    sample=_sample,
    paint=_paint,
    kind="category",
    legal=_legal,
)
