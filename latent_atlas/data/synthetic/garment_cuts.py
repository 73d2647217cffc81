"""Cuts of the drawn clothes: outline, seams, collars and shading, without colour.

Lengths are in units: the picture's inner 2:3 frame is 64 units wide and 96 high. The origin is its
centre and y points down. A garment is symmetric, so most shapes are given for a = |x|. A cut
is a function from a `Table` to a `Cloth`; `CUTS` has one for each category.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Float

FRAME_HEIGHT, FRAME_WIDTH = 96, 64

# A distance far from any edge.
_INSIDE, _OUTSIDE = 99.0, -99.0


@dataclass(frozen=True)
class Table:
    """A block's pixels in units (x 1×1×W and y 1×H×1, shifted and scaled per row) and factors."""

    factors: pd.DataFrame
    x: Float  # B×1×W
    y: Float  # B×H×1
    pixel: Float  # B×1×1, a pixel's side in units

    def __getitem__(self, name: str) -> Float:
        return raster.column(self.factors, name)

    def by(self, name: str, units: dict[str, float]) -> Float:
        """Length in units of each row's value of the attribute `name`; B×1×1."""
        return self.factors[name].map(units).to_numpy(np.float32)[:, None, None]

    def having(self, name: str, *values: str) -> Float:
        """1 in rows whose attribute `name` is one of `values`, else 0; B×1×1."""
        return self.factors[name].isin(values).to_numpy(np.float32)[:, None, None]


@dataclass
class Cloth:
    """The planes that a cut consists of; each broadcasts to B×H×W."""

    outline: Float  # signed distance of all cloth
    u: Float  # coordinates on the cloth, units: across
    v: Float  # … and down
    shade: Float  # light and seams: a factor on the colour
    inside: Float  # share that shows the garment's inner back
    trim: Float  # share that shows plain trim: collar, cuffs, waistband
    metal: Float  # share that shows buttons, zip, buckle
    hem: Float  # distance above the hem, for lace edges


def table(factors: pd.DataFrame, height: int, width: int) -> Table:
    scale = min(height / FRAME_HEIGHT, width / FRAME_WIDTH)
    x, y = raster.axes(height, width)
    size = raster.column(factors, "scale")
    return Table(
        factors,
        ((x - (width / 2)) / scale - raster.column(factors, "shift_x")) / size,
        ((y - (height / 2)) / scale - raster.column(factors, "shift_y")) / size,
        1.0 / (scale * size),
    )


def _rounded(distance: Float, reach: float, dark: float) -> Float:
    """Light that falls off by `dark` within `reach` of an edge, as on a rounded body."""
    t = np.clip(distance * (1 / reach), 0.0, 1.0)
    t = 1.0 - t
    return 1.0 - dark * t * t


@dataclass(frozen=True)
class _Bodice:
    """Measures of a garment that hangs from the shoulders, in units below `top`."""

    top: float
    size: float
    hems: dict[str, float]
    chest: dict[str, float]
    waist: dict[str, float]
    hip: dict[str, float]
    skirt: dict[str, float]
    waist_y: float
    hip_y: float
    skirt_y: float


_TOP = _Bodice(
    top=-25.0,
    size=1.0,
    hems={"short": 31.0, "normal": 45.0, "long": 60.0},
    chest={"tight": 12.6, "normal": 13.6, "loose": 15.4},
    waist={"tight": 9.6, "normal": 12.6, "loose": 17.0},
    hip={"tight": 12.6, "normal": 14.2, "loose": 18.6},
    skirt={"tight": 13.2, "normal": 15.2, "loose": 20.0},
    waist_y=29.0,
    hip_y=45.0,
    skirt_y=60.0,
)
_JACKET = _Bodice(
    top=-25.0,
    size=1.04,
    hems={"short": 31.0, "normal": 45.0, "long": 62.0},
    chest={"tight": 13.2, "normal": 14.4, "loose": 16.4},
    waist={"tight": 10.6, "normal": 13.8, "loose": 18.0},
    hip={"tight": 13.4, "normal": 15.0, "loose": 19.4},
    skirt={"tight": 14.0, "normal": 16.0, "loose": 21.0},
    waist_y=29.0,
    hip_y=45.0,
    skirt_y=62.0,
)
_DRESS = _Bodice(
    top=-44.0,
    size=0.82,
    hems={"short": 51.0, "knee": 67.0, "long": 87.0},
    chest={"tight": 10.4, "normal": 11.0, "loose": 12.0},
    waist={"tight": 7.6, "normal": 8.4, "loose": 13.2},
    hip={"tight": 10.8, "normal": 12.8, "loose": 16.4},
    skirt={"tight": 10.2, "normal": 20.0, "loose": 26.5},
    waist_y=25.0,
    hip_y=38.0,
    skirt_y=87.0,
)

_SLEEVE_REACH = {"long": 34.0, "half": 21.0, "short": 11.0, "sleeveless": 0.0}
_NECK_HALF = {
    "round": 5.8,
    "v": 6.4,
    "deep": 6.6,
    "wide": 10.0,
    "lines": 6.4,
    "back": 6.2,
    "none": 6.6,
}
_NECK_DEPTH = {
    "round": 5.0,
    "v": 15.0,
    "deep": 17.0,
    "wide": 6.2,
    "lines": 14.0,
    "back": 2.4,
    "none": 12.0,
}


def _neckline(t: Table, a: Float, y: Float, size: float) -> tuple[Float, Float]:
    """Signed distance from the neckline, positive on the front's cloth, and its half-width."""
    half = t.by("neckline", _NECK_HALF) * size
    depth = t.by("neckline", _NECK_DEPTH) * size
    bowl = -raster.ellipse(a, np.maximum(y, 0.0), half, depth)
    slant = (y - depth * (1.0 - a / half)) * half / raster.hypot(half, depth)
    return np.where(t.having("neckline", "v", "none") > 0, slant, bowl), half


@dataclass(frozen=True)
class _Hang:
    """Positions of the parts of a hanging garment, for its details; distances in units."""

    x: Float
    y: Float  # below the neck points
    a: Float  # |x|
    edge: Float  # half-width of the body at each height
    neck: Float  # from the neckline, positive on the front
    half: Float  # half-width of the neckline
    hole: Float  # within the open back's hole
    bottom: Float  # above the hem
    on_sleeve: npt.NDArray[np.bool_]


def _body_edge(t: Table, m: _Bodice, y: Float, span: Float) -> Float:
    """Half-width: concave from shoulder to armpit, then along chest, waist, hip and hem."""
    armpit, drop = 16.0 * m.size, 4.2 * m.size
    chest = t.by("fit", m.chest)
    waist = t.by("fit", m.waist) + 0.5 * t["waist"]
    hip = t.by("fit", m.hip) + 0.3 * t["waist"]
    skirt = t.by("fit", m.skirt) + 0.9 * t["flare"]
    below = raster.profile(
        y, [(armpit, chest), (m.waist_y, waist), (m.hip_y, hip), (m.skirt_y, skirt)]
    )
    rise = np.clip((y - drop) / (armpit - drop), 0.0, 1.0)
    hollow = (4.8 + 6.4 * t.having("sleeve_length", "sleeveless")) * m.size
    armhole = span + (chest - span) * rise * rise * rise - hollow * rise * (1.0 - rise)
    return np.where(y < armpit, armhole, below)


def _hung(t: Table, m: _Bodice) -> tuple[Cloth, _Hang]:
    """A garment that hangs from the shoulders, with sleeves and neckline but without details."""
    x, y, a = t.x, t.y - m.top, np.abs(t.x)
    drop = 4.2 * m.size
    span = (13.6 - 1.8 * t.having("sleeve_length", "sleeveless")) * m.size
    edge = _body_edge(t, m, y, span)
    neck, half = _neckline(t, a, y, m.size)
    side = (edge - a) * raster.steepness(edge, 1, t.pixel)
    slope = np.maximum(a - 6.2 * m.size, 0.0) * (4.2 / (13.6 - 6.2))
    top = (y - slope) * 0.95
    bend = 1.4 * (a / t.by("fit", m.skirt)) ** 2
    bottom = t.by("length", m.hems) - bend - y
    body = np.minimum(np.minimum(side, top), bottom)

    # Sleeves: a strip from the shoulder point outwards and down, tapered towards the cuff.
    lean = 0.072 + 0.008 * t["sleeve_angle"]
    sin, cos = raster.sine(lean), raster.cosine(lean)
    along = (a - span) * sin + (y - drop) * cos
    across = (y - drop) * sin - (a - span) * cos
    reach = t.by("sleeve_length", _SLEEVE_REACH) * m.size
    taper = 8.6 * m.size - 0.095 * np.clip(along, 0.0, 40.0)
    sleeve = np.minimum(np.minimum(across, taper - across), np.minimum(reach - along, top))
    sleeve = np.where(reach > 0, sleeve, _OUTSIDE)
    outline = np.maximum(body, sleeve)
    sleeve = np.minimum(sleeve, a - edge)
    on_sleeve = sleeve > 0

    back_y = 2.2 * m.size * np.sqrt(1.0 - np.clip(a / half, 0.0, 1.0) ** 2)
    outline = np.minimum(outline, np.where(a < half, y - back_y, _INSIDE))
    hole = raster.ellipse(x, y - 11.0 * m.size, 4.0 * m.size, 6.6 * m.size)
    hole = np.where(t.having("neckline", "back") > 0, hole, _OUTSIDE)

    shade = _rounded(np.minimum(np.where(on_sleeve, sleeve, body), -hole), 5.0 * m.size, 0.24)
    seam = np.where((y < 16.0 * m.size) & (a < edge + 1.0), sleeve, _OUTSIDE)
    shade *= 1.0 - 0.3 * raster.line(seam, 0.35, t.pixel)
    fold = raster.sine(x * 0.045 + y * 0.022 + t["folds"])
    fold += raster.sine(x * -0.06 + y * 0.05 + t["folds"] * 3.0)
    shade *= 1.0 + 0.028 * fold
    cloth = Cloth(
        outline=np.minimum(outline, -hole),
        u=np.where(on_sleeve, across + 40.0, x),
        v=np.where(on_sleeve, along + drop, y),
        shade=shade,
        inside=raster.cover(-neck, t.pixel),
        trim=np.zeros_like(body),
        metal=np.zeros_like(body),
        hem=np.where(on_sleeve, reach - along, bottom),
    )
    return cloth, _Hang(x, y, a, edge, neck, half, hole, bottom, on_sleeve)


def _darken(cloth: Cloth, share: Float, dark: float) -> None:
    cloth.shade = cloth.shade * (1.0 - dark * share)


def _cords(t: Table, cloth: Cloth, g: _Hang, size: float) -> None:
    """The straps across a neckline of lines, and the button of an open back."""
    laced = t.having("neckline", "lines")
    y, pixel = g.y / size, t.pixel / size
    _, beat = raster.cell(y - 4.2, 3.4)
    cord = raster.line(beat * 3.4, 0.62, pixel) * (y > 2.5) * laced
    cloth.trim = np.maximum(cloth.trim, cord * cloth.inside)
    cloth.inside = cloth.inside * (1.0 - cord)
    buttoned = t.having("neckline", "back")
    button = raster.cover(raster.disc(g.x, g.y - (3.6 * size), 0.95), t.pixel)
    cloth.metal = np.maximum(cloth.metal, button * buttoned)


def _neckband(t: Table, cloth: Cloth, g: _Hang, width: float, dark: float) -> None:
    """The stitched band along a neckline and an open back."""
    seam = raster.line(g.neck - width, 0.3, t.pixel)
    seam = np.maximum(seam, raster.line(-g.hole - (width * 0.7), 0.3, t.pixel))
    _darken(cloth, seam, dark)


def _hems(t: Table, cloth: Cloth, width: float, dark: float) -> None:
    """Seams parallel to the hem and to the sleeves' ends."""
    _darken(cloth, raster.line(cloth.hem - width, 0.3, t.pixel), dark)


def _tops(t: Table) -> Cloth:
    cloth, g = _hung(t, _TOP)
    _neckband(t, cloth, g, 1.7, 0.3)
    _hems(t, cloth, 1.6, 0.22)
    _cords(t, cloth, g, 1.0)
    return cloth


def _dresses(t: Table) -> Cloth:
    cloth, g = _hung(t, _DRESS)
    y, x, pixel = g.y, g.x, t.pixel
    loose = t.by("fit", {"tight": 0.25, "normal": 1.0, "loose": 1.3})
    fan = x / np.maximum(g.edge, 1.0)
    drape = raster.smooth((y - 27.0) / 26.0) * loose
    pleats = raster.sine(fan * 2.6 + t["folds"]) + 0.5 * raster.sine(fan * 4.7 - t["folds"] * 2.0)
    cloth.shade *= 1.0 + 0.085 * np.where(g.on_sleeve, 0, drape * pleats)
    waisted = t.having("fit", "tight", "normal")
    belt = np.where(g.on_sleeve, _INSIDE, np.abs(y - 25.0) - 0.9)
    _darken(cloth, raster.cover(-belt, pixel) * waisted, 0.3)
    _neckband(t, cloth, g, 1.3, 0.3)
    _hems(t, cloth, 1.4, 0.2)
    _cords(t, cloth, g, 0.82)
    return cloth


def _blouses(t: Table) -> Cloth:
    cloth, g = _hung(t, _TOP)
    x, y, a, pixel = g.x, g.y, g.a, t.pixel
    under = g.on_sleeve
    start = t.by("neckline", {**_NECK_DEPTH, "back": 18.5})
    front = np.where(under, _INSIDE, a - 1.7)
    front = np.where(y < start, _INSIDE, front)
    _darken(cloth, raster.line(front, 0.28, pixel), 0.3)
    beat = (y - start) / 6.0
    row = (beat - np.floor(beat) - 0.5) * 6.0
    button = raster.cover(raster.disc(x, row, 0.95), pixel)
    button = button * (y > start) * (g.bottom > 2.0) * ~under
    cloth.metal = np.maximum(cloth.metal, button)
    # Yoke seams and gathers below them.
    yoke = np.where(under | (a < g.half), _INSIDE, y - 8.4)
    _darken(cloth, raster.line(yoke, 0.28, pixel), 0.22)
    gather = raster.sine(x * 0.42) * np.clip((y - 8.4) / 2, 0, 1) * np.clip((22 - y) / 12, 0, 1)
    cloth.shade *= 1.0 + 0.05 * np.where(under, 0, gather)
    # A collar along the neckline that ends in points towards its foot.
    depth = t.by("neckline", _NECK_DEPTH)
    reach = 1.3 + 2.6 * np.clip((y + 1.0) / np.maximum(depth * 0.75, 3.0), 0, 1)
    collar = np.minimum(reach - g.neck, g.neck + 0.5)
    collar = np.minimum(collar, depth * 0.8 + 1.5 - y)
    collar = np.where(under, _OUTSIDE, np.minimum(collar, y + 1.5))
    collar = np.where(
        t.having("neckline", "back") > 0,
        np.minimum(collar, 1.6 - np.abs(g.neck - 1)),
        collar,
    )
    cloth.trim = np.maximum(cloth.trim, raster.cover(collar, pixel))
    _darken(cloth, raster.line(collar, 0.35, pixel), 0.35)
    cuff = np.where(under, 3.2 - cloth.hem, _OUTSIDE)
    cloth.trim = np.maximum(cloth.trim, raster.cover(cuff, pixel))
    _darken(cloth, raster.line(cuff, 0.3, pixel), 0.35)
    _hems(t, cloth, 1.4, 0.15)
    _cords(t, cloth, g, 1.0)
    return cloth


def _knitwear(t: Table) -> Cloth:
    cloth, g = _hung(t, _TOP)
    pixel = t.pixel
    u, v = cloth.u, cloth.v
    # Columns of V stitches, two units wide per leg, and ribs at every edge.
    leg = u / 4.2
    leg = np.abs(leg - np.floor(leg) - 0.5) * 2.0
    clear = np.clip(1.5 - pixel * 0.5, 0.25, 1.0)
    stitch = raster.sine(v / 3.0 - leg * 0.55)
    groove = raster.smooth((leg - 0.72) * 4.0)
    edge = np.minimum(cloth.hem, g.neck + 1.8)
    edge = np.minimum(edge, 2.4 - g.hole * 1.0 - 0.2)
    rib = raster.cover(4.4 - edge, pixel)
    ribs = raster.sine(u / 2.3) * 1.4
    knit = (stitch - 0.9 * groove) * (1.0 - rib) + ribs * rib
    cloth.shade *= 1.0 + 0.085 * clear * knit
    _darken(cloth, raster.line(4.4 - edge, 0.4, pixel), 0.3)
    _cords(t, cloth, g, 1.0)
    return cloth


def _jackets(t: Table) -> Cloth:
    cloth, g = _hung(t, _JACKET)
    x, y, a, pixel = g.x, g.y, g.a, t.pixel
    under = g.on_sleeve
    depth = _NECK_DEPTH["none"] * _JACKET.size
    # Lapels: two flaps beside the opening, with a notch.
    flap = np.minimum(g.neck, 6.6 - 0.3 * y - g.neck)
    flap = np.minimum(flap, depth + 3.5 - y - a * 0.3)
    flap = np.where(under | (a > 12), _OUTSIDE, np.minimum(flap, y + 0.6))
    cloth.trim = np.maximum(cloth.trim, raster.cover(flap, pixel))
    _darken(cloth, raster.line(flap, 0.45, pixel), 0.5)
    notch = np.where(flap > 0, y - 4.0 - a * 0.25, _INSIDE)
    _darken(cloth, raster.line(notch, 0.4, pixel), 0.45)
    # Zip with teeth, from the lapels' foot to the hem.
    zipped = (y > depth) & ~under
    tape = np.where(zipped, 1.15 - a, _OUTSIDE)
    _darken(cloth, raster.cover(tape, pixel), 0.5)
    teeth = np.where(zipped, 0.5 - a, _OUTSIDE)
    cloth.metal = np.maximum(cloth.metal, raster.cover(teeth, pixel))
    pull = raster.box(x, y - depth - 2.2, 0.9, 1.6)
    cloth.metal = np.maximum(cloth.metal, raster.cover(pull, pixel))
    # Slanted pockets with a metal edge, and panel seams.
    pocket = raster.box(a - 7.6, y - 26.0 + (a - 7.6) * 0.45, 2.9, 0.75)
    pocket = np.where(under, _OUTSIDE, pocket)
    _darken(cloth, raster.cover(pocket, pixel), 0.5)
    panel = np.where(under | (y < 15), _INSIDE, y - 15.5)
    _darken(cloth, raster.line(panel, 0.3, pixel), 0.25)
    chest = np.where(under | (y < 15.5), _INSIDE, a - g.edge * 0.62)
    _darken(cloth, raster.line(chest, 0.3, pixel), 0.18)
    band = 3.6 - cloth.hem
    _darken(cloth, raster.line(band, 0.35, pixel), 0.4)
    ribs = raster.sine(cloth.u / 2.2) * raster.cover(band, pixel)
    cloth.shade *= 1.0 + 0.1 * ribs
    return cloth


def _waistband(t: Table, cloth: Cloth, y: Float, width: float) -> None:
    band = width - y
    cloth.trim = np.maximum(cloth.trim, raster.cover(band, t.pixel))
    _darken(cloth, raster.line(band, 0.35, t.pixel), 0.4)


def _flat_cloth(outline: Float, x: Float, y: Float, shade: Float, hem: Float) -> Cloth:
    nothing = np.zeros_like(outline)
    return Cloth(outline, x, y, shade, nothing, nothing.copy(), nothing.copy(), hem)


_PANTS_TOP = -44.0
_PANTS_HEM = {"short": 31.0, "knee": 50.0, "3-4": 68.0, "long": 88.0}
_ANKLE = {"tight": 9.6, "normal": 13.6, "loose": 22.0}
_THIGH = {"tight": 12.2, "normal": 13.8, "loose": 16.8}
_KNEE = {"tight": 10.6, "normal": 13.2, "loose": 19.0}


def _pants(t: Table) -> Cloth:
    x, y, a, pixel = t.x, t.y - _PANTS_TOP, np.abs(t.x), t.pixel
    crotch = 23.0
    hem = t.by("length", _PANTS_HEM)
    outer = raster.profile(
        y,
        [
            (0.0, 9.6 + 0.5 * t["waist"]),
            (13.0, t.by("fit", _THIGH)),
            (52.0, t.by("fit", _KNEE)),
            (88.0, t.by("fit", _ANKLE) + 0.6 * t["flare"]),
        ],
    )
    inner = raster.profile(
        y,
        [
            (crotch, 0.0),
            (52.0, 2.4),
            (88.0, t.by("fit", {"tight": 3.6, "normal": 4.0, "loose": 3.4})),
        ],
    )
    inner = np.where(y > crotch, inner + 0.25, -9.0)
    side = (outer - a) * raster.steepness(outer, 1, pixel)
    bottom = hem - y - 0.05 * (a - 7.0)
    outline = np.minimum(np.minimum(side, a - inner), np.minimum(y, bottom))
    centre = np.where(y > crotch, a - inner, _INSIDE)
    shade = _rounded(np.minimum(side, centre), 5.0, 0.3)
    crease = a - (np.maximum(inner, 0.0) + outer) * 0.5
    legs = np.clip((y - 14.0) / 10.0, 0.0, 1.0)
    shade *= 1.0 + 0.10 * legs * np.clip(1.0 - np.abs(crease) / 2.5, 0, 1)
    wrinkle = raster.sine(y * 0.09 + a * 0.07 + t["folds"])
    shade *= 1.0 + 0.03 * wrinkle
    cloth = _flat_cloth(outline, x, y, shade, bottom)
    # Fly, pockets, crotch folds, hems.
    seam = np.where((y > 3) & (y < crotch), x, _INSIDE)
    _darken(cloth, raster.line(seam, 0.32, pixel), 0.4)
    fly = np.where(
        (y > 3.6) & (y < 14),
        x - np.sqrt(np.clip(1.0 - (y / 14.0) ** 2, 0, 1)) * 2.6,
        _INSIDE,
    )
    _darken(cloth, raster.line(fly, 0.25, pixel), 0.25)
    pocket = np.where(
        (y > 3.6) & (y < 12.5),
        (outer - a) - (12.5 - y) * 0.45,
        _INSIDE,
    )
    _darken(cloth, raster.line(pocket * 0.9, 0.3, pixel), 0.4)
    fold = np.where(
        (y > crotch - 4) & (a < 5),
        (crotch - y) * 0.9 + a * 0.5,
        _INSIDE,
    )
    _darken(cloth, raster.line(fold, 0.5, pixel), 0.12)
    _darken(cloth, raster.line(bottom - 1.8, 0.3, pixel), 0.3)
    _waistband(t, cloth, y, 3.6)
    loops = np.abs(np.abs(a - 5.8) - 0.0)
    _darken(cloth, raster.cover(np.minimum(0.55 - loops, 4.2 - y), pixel), 0.35)
    cloth.metal = raster.cover(raster.disc(x, y - 1.9, 1.0), pixel)
    return cloth


_SKIRT_TOP = -35.0
_SKIRT_HEM = {"short": 32.0, "knee": 51.0, "long": 76.0}


def _skirts(t: Table) -> Cloth:
    x, y, a, pixel = t.x, t.y - _SKIRT_TOP, np.abs(t.x), t.pixel
    hem = t.by("length", _SKIRT_HEM)
    flare = t["flare"]
    edge = raster.profile(
        y,
        [
            (0.0, 9.4 + 0.5 * t["waist"]),
            (16.0, t.by("fit", {"tight": 13.2, "normal": 14.4, "loose": 17.0})),
            (
                46.0,
                t.by("fit", {"tight": 12.0, "normal": 19.2, "loose": 25.5}) + 0.7 * flare,
            ),
            (76.0, t.by("fit", {"tight": 10.8, "normal": 22.6, "loose": 28.5}) + flare),
        ],
    )
    side = (edge - a) * raster.steepness(edge, 1, pixel)
    full = t.by("fit", {"tight": 0.0, "normal": 0.55, "loose": 1.0})
    fan = x / edge
    pleats = raster.sine(fan * 2.3 + t["folds"])
    fine = raster.sine(fan * 4.6 - t["folds"])
    drape = full * np.clip((y - 4.0) / 24.0, 0.0, 1.0)
    swing = 2.6 * full * (fan * fan - 0.5) - 0.45 * full * pleats
    bottom = hem - y - swing
    outline = np.minimum(np.minimum(side, y), bottom)
    shade = _rounded(side, 6.0, 0.26)
    shade *= 1.0 + drape * (0.13 * pleats + 0.06 * fine)
    calm = raster.sine(x * 0.035 + y * 0.03 + t["folds"])
    shade *= 1.0 + 0.03 * calm
    cloth = _flat_cloth(outline, x, y, shade, bottom)
    straight = t.having("fit", "tight")
    dart = np.where((y > 4) & (y < 13), a - 5.4 - y * 0.06, _INSIDE)
    _darken(cloth, raster.line(dart, 0.3, pixel), 0.28)
    slit = np.where(bottom < 8, x, _INSIDE)
    _darken(cloth, raster.line(slit, 0.4, pixel) * straight, 0.5)
    _darken(cloth, raster.line(bottom - 1.7, 0.3, pixel), 0.24)
    _waistband(t, cloth, y, 3.6)
    cloth.metal = raster.cover(raster.disc(x, y - 1.9, 0.9), pixel)
    return cloth


CUTS: dict[str, Callable[[Table], Cloth]] = {
    "blouses": _blouses,
    "dresses": _dresses,
    "jackets": _jackets,
    "knitwear": _knitwear,
    "pants": _pants,
    "skirts": _skirts,
    "tops": _tops,
}
