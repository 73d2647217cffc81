"""Decoding of an image file to pixels of a given size, or the reason for its rejection."""

from __future__ import annotations

import io
import math
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from latent_atlas.data.photo import EXIF_ERRORS
from latent_atlas.data.sources.items import RejectedError, View

MAX_PIXELS = 100_000_000
"""Limit for an image file; larger ones are rejected before they are decoded."""

# Limit for one note or colour profile in a PNG. The default is 1 MB, which image editors exceed.
# The total of all notes of a file stays limited.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Formats that Pillow decodes itself. Others, such as EPS, would start another program."""

# A JPEG is decoded at a half, a quarter or an eighth of its size, as long as at least four times
# the target size remains. Then the final filter hides the decoder's averaging: against a full
# decoding, the worst PSNR was 36 dB; with twice the target size it was 29 dB.
_DRAFT_MARGIN = 4.0
_REDUCING_GAP = 3.0
_BITS = 258  # TIFF tag: bits per sample, because Pillow holds 12 bits as 16
_PHOTOMETRIC = 262  # TIFF tag: whether 0 is black or white

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Target:
    """Format of the stored images.

    Attributes:
        height: in pixels.
        width: in pixels.
        channels: 1 (grey) or 3 (RGB).
        fit: how an image of another aspect ratio is fitted, see `place`.
    """

    height: int
    width: int
    channels: int
    fit: Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Placement:
    """The visible part of an image, and its place in the target.

    Attributes:
        box: left, top, right, bottom of the visible part, in pixels of the image.
        size: width and height of that part in the target, in pixels.
        offset: left and top of that part in the target; the rest is padding.
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    offset: tuple[int, int]

    @property
    def scale(self) -> float:
        """Target pixels per pixel of the image, along the axis with the weaker reduction."""
        left, top, right, bottom = self.box
        return max(self.size[0] / (right - left), self.size[1] / (bottom - top))


def place(width: int, height: int, view: View, target: Target) -> Placement:
    """Fit the view's region of a `width` × `height` image into the target.

    ``crop`` takes the largest centred part that has the target's shape. ``pad`` takes the whole
    region and centres it. ``stretch`` takes the whole region and changes its aspect ratio.
    """
    left, right = view.region[0] * width, view.region[2] * width
    top, bottom = view.region[1] * height, view.region[3] * height
    across, down = right - left, bottom - top
    if target.fit == "pad":
        scale = min(target.width / across, target.height / down)
        size = (
            min(target.width, max(1, round(across * scale))),
            min(target.height, max(1, round(down * scale))),
        )
        offset = ((target.width - size[0]) // 2, (target.height - size[1]) // 2)
        return Placement((left, top, right, bottom), size, offset)
    if target.fit == "crop":
        scale = max(target.width / across, target.height / down)
        spare_across = max(0.0, across - target.width / scale) / 2
        spare_down = max(0.0, down - target.height / scale) / 2
        left, right = left + spare_across, right - spare_across
        top, bottom = top + spare_down, bottom - spare_down
    return Placement((left, top, right, bottom), (target.width, target.height), (0, 0))


def decode(
    data: bytes,
    target: Target | None,
    views: tuple[View, ...] = (View(),),
    size: tuple[int, int] | None = None,
) -> Images:
    """Decode an image file.

    Transparent images are composited on white, an EXIF rotation is applied, and an animation gives
    its first frame.

    Args:
        data: the bytes of the file.
        target: format of the results; None for RGB in the size of the image.
        views: parts and variants of the image.
        size: the expected width and height; None for any.

    Returns:
        uint8 V×H×W×C, one image for each of the V views.

    Raises:
        RejectedError: if the bytes are not a complete image.
    """
    if not data:
        raise RejectedError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning of Pillow is no reason to reject a file
            return _decode(data, target, views, size)
    except RejectedError:
        raise
    except UnidentifiedImageError:
        raise RejectedError("not an image") from None
    except Image.DecompressionBombError:
        raise RejectedError(f"decompression bomb (more than {MAX_PIXELS} pixels)") from None
    except Exception as error:  # damaged files make decoders raise anything
        text = str(error).lower()
        if "truncated" in text or "unexpected end" in text or "incomplete" in text:
            raise RejectedError("truncated") from None
        raise RejectedError(f"damaged image ({type(error).__name__})") from None


def resize(pixels: Images, target: Target) -> Images:
    """Resize raw uint8 pixels, H×W or H×W×3, to the target's shape: uint8 1×H×W×C."""
    return _views(Image.fromarray(pixels), pixels.shape[1::-1], target, (View(),))


def _decode(
    data: bytes, target: Target | None, views: tuple[View, ...], size: tuple[int, int] | None
) -> Images:
    image = Image.open(io.BytesIO(data), formats=_formats())
    if image.width * image.height > MAX_PIXELS:
        raise RejectedError(
            f"decompression bomb ({image.width}×{image.height} pixels, at most {MAX_PIXELS})"
        )
    full = (image.height, image.width) if _is_rotated(image) else image.size
    if size is not None and full != size:
        raise RejectedError(
            f"has {full[0]}×{full[1]} pixels, but the source promises {size[0]}×{size[1]}"
        )
    if target is None:
        target = Target(full[1], full[0], 3, "stretch")
    scale = max(place(*full, view, target).scale for view in views) * _DRAFT_MARGIN
    image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    image.load()
    with suppress(*EXIF_ERRORS):  # raised after the rotation, where the EXIF is written again
        ImageOps.exif_transpose(image, in_place=True)
    return _views(image, full, target, views)


def _is_rotated(image: Image.Image) -> bool:
    """Whether `exif_transpose` will exchange the present width and height of the image."""
    if image.format == "PNG":
        image.load()  # `getexif` may do so too, but an error here is one of the image
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except EXIF_ERRORS:
        return False
    # A TIFF that is rotated by its own tag has the sides of the rotated image from the start.
    return orientation in (5, 6, 7, 8) and ExifTags.Base.Orientation not in getattr(
        image, "tag_v2", {}
    )


def _views(
    image: Image.Image, full: tuple[int, int], target: Target, views: tuple[View, ...]
) -> Images:
    """Cut the views out of a decoded image, which a draft may have made smaller than `full`."""
    image = _convert(image, "RGB" if target.channels == 3 else "L")
    across, down = image.width / full[0], image.height / full[1]
    rows = []
    for view in views:
        placed = place(*full, view, target)
        left, top, right, bottom = placed.box
        part = image.resize(
            placed.size,
            Image.Resampling.LANCZOS,
            box=(
                left * across,
                top * down,
                min(right * across, image.width),
                min(bottom * down, image.height),
            ),
            reducing_gap=_REDUCING_GAP,
        )
        pixels = _pad(np.asarray(part).reshape(part.height, part.width, -1), placed, target)
        rows.append(pixels[:, ::-1] if view.flip else pixels)
    return np.stack(rows)


def _pad(pixels: Images, placed: Placement, target: Target) -> Images:
    """Surround the image with the median colour of its own border.

    This continues a plain background. White bars would be the strongest feature of many images.
    """
    height, width, channels = pixels.shape
    if (height, width) == (target.height, target.width):
        return pixels
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    canvas = np.empty((target.height, target.width, channels), np.uint8)
    canvas[:] = np.sort(border, axis=0)[len(border) // 2]
    left, top = placed.offset
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """Convert any colour model to 8-bit RGB or grey (ITU-R 601 luma)."""
    if image.mode == mode and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        levels, tags = np.asarray(image).astype(np.uint32), getattr(image, "tag_v2", {})
        white = 2 ** tags.get(_BITS, (16,))[0] - 1
        if tags.get(_PHOTOMETRIC) == 0:  # white is 0; Pillow inverts 8 bits only
            levels = white - levels
        if isinstance(clear := image.info.get("transparency"), int):
            levels[levels == clear] = white
        image = Image.fromarray(((levels * 255 + white // 2) // white).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise RejectedError(f"pixels of 32-bit {'numbers' if image.mode == 'I' else 'floats'}")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, "white")
        image.alpha_composite(layer)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")  # palette, CMYK, YCbCr, LAB, 1 bit: to grey through RGB
    return image.convert(mode)


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]
