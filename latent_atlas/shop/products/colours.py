"""The colour of a garment from its pixels, in the words of the schema."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_atlas.data.store import Images
from latent_atlas.shop.products.photos import foreground

# sRGB examples of each colour, light and dark; what the schema has no word for stands with the
# value that `vocabulary.yaml` gives it: brown with beige, purple with pink, orange with red.
EXAMPLES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "beige": ((222, 202, 170), (196, 170, 130), (122, 84, 54)),
    "black": ((24, 24, 26), (48, 46, 48)),
    "blue": ((44, 84, 166), (28, 38, 84), (150, 186, 226), (50, 150, 176)),
    "gray": ((140, 142, 146), (96, 98, 102), (186, 187, 190)),
    "green": ((54, 126, 70), (104, 110, 52), (150, 210, 170), (30, 70, 50)),
    "pink": ((240, 160, 190), (214, 60, 140), (120, 60, 140), (240, 205, 215)),
    "red": ((196, 34, 44), (110, 24, 40), (236, 110, 50)),
    "white": ((246, 245, 243), (228, 227, 226)),
    "yellow": ((246, 206, 62), (246, 228, 130), (200, 150, 40)),
}
_LIGHTNESS_WEIGHT = 0.6  # folds and light change lightness more than hue
_FAR = 60  # levels from the ground, in any channel
_CLOTH_SHARE = 0.55

_NAMES = tuple(EXAMPLES)
_OWNERS = np.array([_NAMES.index(name) for name, rows in EXAMPLES.items() for _ in rows])


def measured_colour(pixels: Images) -> str:
    """The name of the colour that most of the garment has.

    Args:
        pixels: uint8 H×W×3, a garment on a plain ground.
    """
    figure, ground = foreground(pixels)
    if not figure.any():
        return ""
    # Of cloth in a colour, what looks like the ground is the ground, seen through lace, or a white
    # pattern; only where little else is left is the cloth itself as white as the ground.
    coloured = figure & (np.abs(pixels - ground).max(axis=-1) > _FAR)
    cloth = coloured if coloured.sum() > _CLOTH_SHARE * figure.sum() else figure
    names = nearest(pixels[cloth])
    return _NAMES[int(np.bincount(names, minlength=len(_NAMES)).argmax())]


def nearest(pixels: Images) -> npt.NDArray[np.int64]:
    """Number of the colour in `EXAMPLES` that each of N×3 pixels is closest to, in CIELAB."""
    weights = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0])
    examples = np.array([colour for rows in EXAMPLES.values() for colour in rows], np.uint8)
    found = lab(pixels) * weights
    distance = np.stack([((found - row) ** 2).sum(axis=1) for row in lab(examples) * weights])
    return np.asarray(_OWNERS[distance.argmin(axis=0)], dtype=np.int64)


def lab(pixels: Images) -> npt.NDArray[np.float64]:
    """sRGB (IEC 61966-2-1) N×3 to CIELAB under D65: L* in 0…100, a* and b* about -100…100."""
    value = pixels / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    matrix.append([0.0193339, 0.1191920, 0.9503041])
    xyz = linear @ np.array(matrix).T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
