"""Colour of a garment, measured on the pixels of its photo, as a value of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.data.store import Images
from latent_atlas.shop.products.photos import foreground, working_copy
from latent_atlas.shop.products.shards import Shards
from latent_atlas.shop.products.vocabulary import Reading

# sRGB examples of each colour, light and dark. Colours without a value in the schema are examples
# of the value that `vocabulary.yaml` gives them: brown is beige, purple is pink, orange is red.
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
_LIGHTNESS_WEIGHT = 0.6  # folds and shadows change lightness more than hue
_FAR = 60  # levels from the background, in any channel
_CLOTH_SHARE = 0.55

_NAMES = tuple(EXAMPLES)
_NAME_NUMBERS = np.array([_NAMES.index(name) for name, rows in EXAMPLES.items() for _ in rows])


def with_measured_colours(
    skus: Iterable[str], readings: Sequence[Reading], photos: pd.Series, shards: Shards
) -> tuple[list[dict[str, str]], list[str]]:
    """The values of each product; a colour that the text does not give is measured on the photo.

    Args:
        skus: the products.
        readings: their values from the text.
        photos: path of a product's own photo, indexed by product.
        shards: images of the crawl.

    Returns:
        the values of each product, and the source of its colour: ``text``, ``pixels`` or ``""``.
    """
    values, sources = [], []
    for sku, reading in zip(skus, readings, strict=True):
        row = dict(reading.values)
        source = "text" if row["color"] else ""
        if not source and sku in photos.index:
            picture = shards.photo(str(photos.loc[sku]))
            row["color"], source = measured_colour(working_copy(picture)), "pixels"
        values.append(row)
        sources.append(source)
    return values, sources


def measured_colour(pixels: Images) -> str:
    """The name of the most frequent colour of a garment.

    Args:
        pixels: uint8 H×W×3, a garment on a plain background.
    """
    mask, ground = foreground(pixels)
    if not mask.any():
        return ""
    # In coloured cloth, pixels like the background are the background seen through lace, or a white
    # pattern. Only if few other pixels remain is the cloth itself as white as the background.
    coloured = mask & (np.abs(pixels - ground).max(axis=-1) > _FAR)
    cloth = coloured if coloured.sum() > _CLOTH_SHARE * mask.sum() else mask
    names = nearest_colours(pixels[cloth])
    return _NAMES[int(np.bincount(names, minlength=len(_NAMES)).argmax())]


def nearest_colours(pixels: Images) -> npt.NDArray[np.int64]:
    """Position in `EXAMPLES` of the colour nearest to each of N×3 pixels in CIELAB."""
    weights = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0])
    examples = np.array([colour for rows in EXAMPLES.values() for colour in rows], np.uint8)
    weighted = lab(pixels) * weights
    distance = np.stack([((weighted - row) ** 2).sum(axis=1) for row in lab(examples) * weights])
    return np.asarray(_NAME_NUMBERS[distance.argmin(axis=0)], dtype=np.int64)


def lab(pixels: Images) -> npt.NDArray[np.float64]:
    """Convert sRGB (IEC 61966-2-1), N×3, to CIELAB under D65: L* 0…100, a* and b* about ±100."""
    value = pixels / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750]]
    matrix.append([0.0193339, 0.1191920, 0.9503041])
    xyz = linear @ np.array(matrix).T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
