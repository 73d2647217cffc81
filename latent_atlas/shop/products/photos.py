"""Measures of a product photo, and the verdict that follows from them.

The requirements are those of the thesis (section 3.1.1): one product on a white background, nothing
else in the picture, and a sufficient size. Each measure can be checked by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from latent_atlas.config.schema import PhotoRules
from latent_atlas.data.store import Images

WORK_SIDE = 144  # longer side at which photos are measured, in pixels
THUMB_SIDE = 16
_GROUND_REACH = 12  # levels by which the background may vary: light, shadow, compression
_OUTER = 1 / 8
_HEAD = 1 / 9  # the largest share of a standing person that is the head without shoulders
_LEAST_SKIN = 12  # pixels that are enough to determine the tone of a person's skin
_TONE_REACH = 24  # levels

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measures:
    """Measures of a photo. Shares refer to all its pixels unless stated otherwise.

    Attributes:
        side: shorter side of the original in pixels.
        ground: brightness of the border's median colour, 0 to 255.
        spread: share of the border with another colour.
        area: share of the foreground.
        second: area of the second largest connected part, as a share of the largest.
        skin: share of skin in the foreground.
        face: share of the head, the top ninth of the foreground, that is skin in the tone of the
            rest of the body. Fair hair has the colour of skin, but seldom the person's own tone.
        limbs: the largest share of skin in the outer eighth of the foreground, of its four sides.
        garment: share that is neither background nor skin.
        symmetry: overlap of the foreground with its mirror image, 0 to 1.
        whole: whether the foreground touches neither the upper nor the lower edge.
    """

    side: int
    ground: float
    spread: float
    area: float
    second: float
    skin: float
    face: float
    limbs: float
    garment: float
    symmetry: float
    whole: bool


def head_box(pixels: Images) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the foreground's upper quarter, as shares of width and height."""
    mask, _ = foreground(pixels)
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 0.25
    quarter = max(1, -(-(rows[-1] + 1 - rows[0]) // 4))
    middle = (columns[0] + columns[-1] + 1) / 2
    left, right = max(0.0, middle - quarter / 2), min(float(width), middle + quarter / 2)
    return left / width, rows[0] / height, right / width, (rows[0] + quarter) / height


def working_copy(picture: Image.Image) -> Images:
    """The photo with a longer side of at most WORK_SIDE: uint8 H×W×3."""
    small = picture.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small)


def thumbnail(pixels: Images) -> Images:
    """Thumbnail for the comparison of near duplicates: uint8 THUMB_SIDE×THUMB_SIDE×3."""
    size = (THUMB_SIDE, THUMB_SIDE)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def foreground(pixels: Images) -> tuple[Mask, npt.NDArray[np.float64]]:
    """Separate a photo from its background.

    Args:
        pixels: uint8 H×W×3.

    Returns:
        mask: pixels that differ from the background, with holes filled. The outline thus restores
            a white garment on white.
        ground: colour of the background.
    """
    border = _border(pixels)
    ground = np.median(border, axis=0)
    unlike = _distance(pixels, ground) > _GROUND_REACH
    # A majority of nine pixels: it removes noise and keeps thin straps.
    solid = ndimage.uniform_filter(unlike.astype(np.float32), 3) > 0.5
    filled: Mask = ndimage.binary_fill_holes(solid)
    return filled, ground


def measure_photo(pixels: Images, side: int) -> Measures:
    """Measure a working copy; `side` is the shorter side of the original in pixels."""
    mask, ground = foreground(pixels)
    border = _border(pixels)
    spread = float((_distance(border, ground) > 2 * _GROUND_REACH).mean())
    parts, count = ndimage.label(mask)
    sizes = np.sort(np.bincount(parts.ravel(), minlength=count + 1)[1:])[::-1]
    second = float(sizes[1] / sizes[0]) if count > 1 else 0.0
    skin = is_skin(pixels) & mask
    area = float(mask.mean())
    return Measures(
        side=side,
        ground=float(ground @ (0.299, 0.587, 0.114)),
        spread=spread,
        area=area,
        second=second,
        skin=float(skin.sum() / max(mask.sum(), 1)),
        face=_ends(mask, skin & _own_tone(pixels, mask, skin), _HEAD)[0],
        limbs=max(*_ends(mask, skin, _OUTER), *_ends(mask.T, skin.T, _OUTER)),
        garment=area - float(skin.mean()),
        symmetry=_symmetry(mask),
        whole=not (mask[0].any() or mask[-1].any()) and area > 0,
    )


def verdict(m: Measures, rules: PhotoRules) -> str:
    """``""`` for a photo of one product on a plain background, otherwise the reason against it."""
    if m.side < rules.min_side:
        return "too small"
    if m.ground < rules.min_ground or m.spread > rules.max_ground_spread:
        return "background not plain and bright"
    if not rules.min_area <= m.area <= rules.max_area:
        return "garment too small or too large in the picture"
    if has_person(m, rules):
        return "a person in the picture"
    if m.second > rules.max_second:
        return "more than one garment"
    return ""


def has_person(m: Measures, rules: PhotoRules) -> bool:
    """Whether there is skin, mostly at head, hands or feet; that of a print is anywhere."""
    return m.skin > rules.max_skin and m.limbs > max(rules.min_limbs, rules.limbs_ratio * m.skin)


def is_skin(pixels: Images) -> Mask:
    """Areas of skin colour, by a rule in YCbCr together with one in RGB.

    77 ≤ Cb ≤ 127, 133 ≤ Cr ≤ 173 (Chai and Ngan 1999); R > 95, G > 40, B > 20, R > G > B,
    R - G > 15 (Kovac et al. 2003). An opening removes small areas, such as parts of a print.
    """
    red, green, blue = (pixels[..., channel].astype(np.float32) for channel in range(3))
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    skin = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173)
    skin &= (red > 95) & (green > 40) & (blue > 20) & (red - green > 15) & (green > blue)
    opened: Mask = ndimage.binary_opening(skin, structure=np.ones((3, 3)))
    return opened


def duplicates(thumbs: Images, near: float) -> list[int]:
    """The first earlier photo that each photo repeats, or -1.

    Args:
        thumbs: uint8 N×S×S×3.
        near: mean difference of pixel values, 0 to 255, up to which two photos are the same.
    """
    flat = thumbs.reshape(len(thumbs), -1).astype(np.int16)
    # Sums of integers are exact; means would be rounded, which matters at the limit.
    sums, most = flat.sum(axis=1, dtype=np.int64), near * flat.shape[1]
    order = np.argsort(sums, kind="stable")
    first = np.full(len(flat), -1)
    # Two photos differ at least as much as their sums, so that only a window is compared.
    begin = 0
    for place, row in enumerate(order):
        while sums[row] - sums[order[begin]] > most:
            begin += 1
        window = order[begin:place]
        alike = window[np.abs(flat[window] - flat[row]).sum(axis=1, dtype=np.int64) <= most]
        for other in alike:
            earlier, later = min(row, other), max(row, other)
            if first[later] < 0 or earlier < first[later]:
                first[later] = earlier
    return [int(row) for row in first]


def _border(pixels: Images) -> Images:
    rows = [pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3)]
    return np.concatenate([*rows, pixels[:, :2].reshape(-1, 3), pixels[:, -2:].reshape(-1, 3)])


def _distance(
    pixels: Images, colour: npt.NDArray[np.float64] | Sequence[float]
) -> npt.NDArray[np.float64]:
    distance: npt.NDArray[np.float64] = np.abs(pixels - np.asarray(colour)).max(axis=-1)
    return distance


def _own_tone(pixels: Images, mask: Mask, skin: Mask) -> Mask:
    """Pixels in the tone of the skin below the head; all pixels if no skin is visible there."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return skin
    below = skin.copy()
    below[: rows[0] + round((rows[-1] + 1 - rows[0]) * 2 * _HEAD)] = False
    if below.sum() < _LEAST_SKIN:
        return np.ones_like(skin)
    tone = np.median(pixels[below], axis=0)
    near: Mask = _distance(pixels, tone) <= _TONE_REACH
    return near


def _ends(mask: Mask, skin: Mask, share: float) -> tuple[float, float]:
    """Share of skin in the first and in the last rows of the foreground, `share` of them each."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return 0.0, 0.0
    depth = max(1, round((rows[-1] + 1 - rows[0]) * share))
    first, last = slice(rows[0], rows[0] + depth), slice(rows[-1] + 1 - depth, rows[-1] + 1)
    return (
        float(skin[first].sum() / mask[first].sum()),
        float(skin[last].sum() / mask[last].sum()),
    )


def _symmetry(mask: Mask) -> float:
    """Overlap of the foreground with its mirror image."""
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(columns):
        return 0.0
    cut = mask[:, columns[0] : columns[-1] + 1]
    return float((cut & cut[:, ::-1]).sum() / (cut | cut[:, ::-1]).sum())
