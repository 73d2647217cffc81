"""Filled circles on black, one in all channels or one per channel.

Both sets follow the β-VAE thesis that the circles studies rebuild (section 4.3, datasets 1 and 2):
images 96 high and 64 wide, r ~ U(1, 20) px, and x, y ~ U(20, 44) px *both*, although the image is
taller than wide. So the circles stay in the upper 64 of the 96 rows, as in the thesis.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from latent_atlas.data.synthetic.base import Bytes, Drawing, uniforms

HEIGHT, WIDTH = 96, 64
CIRCLE = {"x": (20.0, 44.0), "y": (20.0, 44.0), "r": (1.0, 20.0)}
CHANNELS = ("red", "green", "blue")
MONO = dict(CIRCLE)
RGB = {f"{channel}_{name}": span for channel in CHANNELS for name, span in CIRCLE.items()}


def _disc(factors: pd.DataFrame, prefix: str, height: int, width: int) -> Bytes:
    """255 where a pixel's centre, at (column + ½, row + ½), lies inside the circle; B×H×W."""
    x, y, r = (factors[f"{prefix}{name}"].to_numpy(np.float64)[:, None] for name in CIRCLE)
    across, down = width / WIDTH, height / HEIGHT
    dx = np.arange(width) + 0.5 - x * across
    dy = np.arange(height) + 0.5 - y * down
    reach = (r * min(across, down)) ** 2 - dy**2
    inside = (dx**2)[:, None, :] <= reach[:, :, None]
    disc: Bytes = inside.view(np.uint8) * np.uint8(255)
    return disc


def _paint_mono(factors: pd.DataFrame, height: int, width: int) -> Bytes:
    return np.stack([_disc(factors, "", height, width)] * 3, axis=-1)


def _paint_rgb(factors: pd.DataFrame, height: int, width: int) -> Bytes:
    discs = [_disc(factors, f"{channel}_", height, width) for channel in CHANNELS]
    return np.stack(discs, axis=-1)


_SCALING = (
    "Lengths are in pixels of a 96×64 image, from its top left corner; at another size x follows "
    "the width, y the height, and r the smaller of the two scales, so a circle stays round."
)

circles_mono = Drawing(
    name="circles_mono",
    label=None,
    description=(
        "One filled circle of value 255 on 0, the same in all three channels, not anti-aliased. "
        f"Factors: centre x and y, 20 to 44 px; radius r, 1 to 20 px. {_SCALING}"
    ),
    ranges=MONO,
    values={},
    sample=partial(uniforms, "circles_mono", MONO),
    paint=_paint_mono,
)

circles_rgb = Drawing(
    name="circles_rgb",
    label=None,
    description=(
        "One filled circle of value 255 on 0 in each colour channel, independent of the other "
        "two, not anti-aliased. Factors, for red_, green_ and blue_ each: centre x and y, 20 to "
        f"44 px; radius r, 1 to 20 px. {_SCALING}"
    ),
    ranges=RGB,
    values={},
    sample=partial(uniforms, "circles_rgb", RGB),
    paint=_paint_rgb,
)
