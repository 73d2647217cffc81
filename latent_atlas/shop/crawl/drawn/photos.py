"""Photos of a drawn product: on a plain background, worn by a model, and unusable ones.

Lengths are in the units of `latent_atlas.data.synthetic.garments`, whose 2:3 frame is 64 wide and
96 high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from latent_atlas.data.store import Images
from latent_atlas.data.synthetic.registry import DRAWINGS

HEIGHT, WIDTH = 192, 144
SMALL_HEIGHT, SMALL_WIDTH = 64, 48
MODEL_KINDS = ("front", "back", "detail", "cropped")
WORN_KINDS = ("front", "back", "cropped")
FAULTY_KINDS = ("busy", "small", "two")

_UNIT = min(HEIGHT / 96, WIDTH / 64)  # pixels
_SUPERSAMPLE = 3
_SKIN = ((236, 188, 156), (214, 160, 122), (168, 112, 78), (112, 74, 52))
_HAIR = ((58, 40, 30), (28, 26, 30), (122, 78, 40), (142, 120, 92))
_GREY_TOP, _DARK_TROUSERS = (206, 207, 210), (66, 68, 76)


@dataclass(frozen=True)
class _Pose:
    """Position of a body in a garment's frame, and its other clothes.

    A height y of the body, see `_Placer`, is at top + size · y of the frame.
    """

    top: float
    size: float
    trousers: bool
    shirt: bool


# Garments hang at the shoulders; skirts and pants hang at the waist, 29 units lower.
_UPPER = _Pose(top=-27.0, size=1.0, trousers=True, shirt=False)
_POSES = {
    "dresses": _Pose(top=-44.0, size=0.82, trousers=False, shirt=False),
    "skirts": _Pose(top=-36.0 - 29.0, size=1.0, trousers=False, shirt=True),
    "pants": _Pose(top=-44.0 - 29.0, size=1.0, trousers=False, shirt=True),
}


def draw_packshots(factors: pd.DataFrame) -> Images:
    """Draw the garments on a plain background: uint8 N×HEIGHT×WIDTH×3."""
    return DRAWINGS["garments"].render(factors, HEIGHT, WIDTH)


def draw_faulty(kind: str, factors: pd.DataFrame, seed: int) -> list[Image.Image]:
    """Draw unusable photos.

    Args:
        kind: ``busy`` (patterned background), ``small`` or ``two`` (two garments).
        factors: rows of garments.
        seed: of the backgrounds.
    """
    garments = DRAWINGS["garments"]
    if kind == "small":
        return [Image.fromarray(p) for p in garments.render(factors, SMALL_HEIGHT, SMALL_WIDTH)]
    if kind == "two":
        halves = garments.render(factors.assign(scale=0.95), HEIGHT, WIDTH // 2)
        return [Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1)) for half in halves]
    pictures = draw_packshots(factors)
    masks = _masks(factors, HEIGHT, WIDTH)
    return [
        Image.composite(Image.fromarray(picture), _busy_background(seed + row), mask)
        for row, (picture, mask) in enumerate(zip(pictures, masks, strict=True))
    ]


def _busy_background(seed: int) -> Image.Image:
    rng = np.random.default_rng([seed, 7])
    tiles = rng.integers(40, 230, (8, 6, 3), dtype=np.uint8)
    return Image.fromarray(tiles).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def draw_details(factors: pd.DataFrame) -> Images:
    """Draw close views of the cloth: uint8 N×HEIGHT×WIDTH×3."""
    close = factors.assign(scale=3.4, shift_y=factors["shift_y"] + _detail_shift(factors))
    return DRAWINGS["garments"].render(close, HEIGHT, WIDTH)


def _detail_shift(factors: pd.DataFrame) -> pd.Series:
    """Shift that moves the part below collar or waistband to the middle of the picture."""
    offset = factors["category"].map({"dresses": 80.0, "skirts": 70.0, "pants": 80.0})
    return offset.fillna(40.0)


def draw_worn(kind: str, factors: pd.DataFrame, seed: int) -> list[Image.Image]:
    """Draw photos of models in the garments.

    Args:
        kind: ``front`` (face to feet), ``back`` (hair instead of a face) or ``cropped`` (no head).
        factors: rows of garments.
        seed: of skin and hair; the same seed gives all photos of a product the same person.
    """
    photos: list[Image.Image | None] = [None] * len(factors)
    numbers = {row: number for number, row in enumerate(factors.index)}
    for category, rows in factors.groupby("category", sort=True):
        pose = _POSES.get(str(category), _UPPER)
        zoom = (1.16 if kind == "cropped" else 0.62) / pose.size
        height, width = round(96 * _UNIT * zoom), round(64 * _UNIT * zoom)
        cloths = DRAWINGS["garments"].render(rows, height, width)
        masks = _masks(rows, height, width)
        for row, cloth, mask in zip(rows.index, cloths, masks, strict=True):
            number = numbers[row]
            person = np.random.default_rng([seed, number, 3]).integers(0, 4, 2)
            photos[number] = _photo(kind, pose, zoom, Image.fromarray(cloth), mask, person.tolist())
    return [photo for photo in photos if photo is not None]


def _masks(factors: pd.DataFrame, height: int, width: int) -> list[Image.Image]:
    """Coverage masks of the garments, from a second drawing of them in plain black."""
    plain = factors.assign(color="black", pattern="unicolors")
    dark = DRAWINGS["garments"].render(plain, height, width).min(axis=3).astype(np.float32)
    cover = np.clip((150.0 - dark) / 60.0, 0.0, 1.0)
    return [Image.fromarray((plane * 255).round().astype(np.uint8)) for plane in cover]


def _photo(
    kind: str, pose: _Pose, zoom: float, cloth: Image.Image, mask: Image.Image, person: list[int]
) -> Image.Image:
    # The middle of the visible part, below the shoulders: of the whole body, or of the torso.
    middle = 44.0 if kind == "cropped" else 51.0
    down = -(pose.top + pose.size * middle) * zoom * _UNIT
    body = _body(kind, pose, zoom, down, person)
    if kind == "back":
        cloth, mask = (
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in (cloth, mask)
        )
    corner = (round((WIDTH - cloth.width) / 2), round((HEIGHT - cloth.height) / 2 + down))
    body.paste(cloth, corner, mask)
    if kind == "back":
        _head(body, kind, pose, zoom, down, person)
    return body


def _body(kind: str, pose: _Pose, zoom: float, down: float, person: list[int]) -> Image.Image:
    canvas = Image.new("RGB", (WIDTH * _SUPERSAMPLE, HEIGHT * _SUPERSAMPLE), (244, 244, 244))
    draw = ImageDraw.Draw(canvas)
    skin = _SKIN[person[0]]
    at = _Placer(pose, zoom, down)
    leg = _DARK_TROUSERS if pose.trousers else skin
    chest = _GREY_TOP if pose.shirt else skin
    for side in (-1, 1):
        draw.polygon([at(side * x, y) for x, y in ((1, 40), (12.4, 40), (8, 116), (4, 116))], leg)
        draw.ellipse([at(side * 6.5 - 4.5, 113), at(side * 6.5 + 4.5, 120)], skin)
        arm = ((9, 2), (14, 4), (32.5, 38), (29.5, 41), (11, 14))
        draw.polygon([at(side * x, y) for x, y in arm], skin)
        draw.ellipse([at(side * 31.5 - 3, 37), at(side * 31.5 + 3, 44)], skin)
    right = ((4, 0), (12.5, 3), (10.5, 16), (9, 29), (12.4, 44))
    torso = [*right, *((-x, y) for x, y in reversed(right))]
    draw.polygon([at(x, y) for x, y in torso], chest)
    draw.polygon([at(x, y) for x, y in ((-3.4, -6), (3.4, -6), (4.6, 4), (-4.6, 4))], skin)
    canvas = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    _head(canvas, kind, pose, zoom, down, person)
    return canvas


def _head(
    picture: Image.Image, kind: str, pose: _Pose, zoom: float, down: float, person: list[int]
) -> None:
    size = (WIDTH * _SUPERSAMPLE, HEIGHT * _SUPERSAMPLE)
    layer, cover = Image.new("RGB", size), Image.new("L", size)
    at = _Placer(pose, zoom, down)
    skin, hair = _SKIN[person[0]], _HAIR[person[1]]
    paint, mask = ImageDraw.Draw(layer), ImageDraw.Draw(cover)

    def ellipse(
        x: float, y: float, across: float, tall: float, colour: tuple[int, int, int]
    ) -> None:
        box = [at(x - across, y - tall), at(x + across, y + tall)]
        paint.ellipse(box, colour)
        mask.ellipse(box, 255)

    ellipse(0, -10.5, 6.6, 8.2, hair)
    if kind == "back":
        ellipse(0, -3.5, 6.0, 8.0, hair)
    else:
        ellipse(0, -8.6, 5.2, 7.0, skin)
        for side in (-1, 1):
            ellipse(side * 2.1, -9.6, 0.7, 0.7, (50, 40, 40))
        ellipse(0, -4.9, 1.7, 0.6, (170, 70, 70))
    half = (WIDTH, HEIGHT)
    box = Image.Resampling.BOX
    picture.paste(layer.resize(half, box), (0, 0), cover.resize(half, box))


class _Placer:
    """Map from body units (x from the middle, y below the shoulders) to pixels of the canvas."""

    def __init__(self, pose: _Pose, zoom: float, down: float) -> None:
        self._pose, self._scale, self._down = pose, zoom * _UNIT, down

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        across = WIDTH / 2 + self._scale * self._pose.size * x
        along = HEIGHT / 2 + self._down + self._scale * (self._pose.top + self._pose.size * y)
        return across * _SUPERSAMPLE, along * _SUPERSAMPLE
