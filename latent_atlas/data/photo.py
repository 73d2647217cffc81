"""Decoding of untrusted photos to RGB, within a limit, or the reason for their rejection."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that Pillow decodes itself. Others, such as EPS, would start another program."""

EXIF_ERRORS = (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error)
"""Errors of Pillow for a damaged EXIF; the image itself may be complete."""


class PhotoError(Exception):
    """Bytes that are not a usable photo; the message is the reason."""


def open_photo(content: bytes, max_pixels: int) -> Image.Image:
    """Decode a photo: the first frame, in its EXIF orientation, composited on white.

    Args:
        content: the bytes of a file.
        max_pixels: larger photos are refused before they are decoded.

    Returns:
        An RGB image; its ``format`` is the format of the file.

    Raises:
        PhotoError: if the bytes are not a complete photo within the limit.
    """
    if not content:
        raise PhotoError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning of Pillow is no reason to refuse
            return _open(content, max_pixels)
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        raise PhotoError(f"more than {max_pixels} pixels") from None
    except UnidentifiedImageError:
        raise PhotoError("not an image") from None
    except Exception as error:  # damaged files make decoders raise anything
        text = str(error).lower()
        cut = any(word in text for word in ("truncated", "unexpected end", "incomplete"))
        raise PhotoError("truncated" if cut else f"damaged ({type(error).__name__})") from None


def _open(content: bytes, max_pixels: int) -> Image.Image:
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    picture: Image.Image = Image.open(io.BytesIO(content), formats=known)
    if picture.width * picture.height > max_pixels:
        raise PhotoError(f"more than {max_pixels} pixels")
    kind = picture.format
    picture.load()
    with suppress(*EXIF_ERRORS):
        ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):
        picture = picture.point(lambda level: level / 257).convert("L")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGBA", layer.size, "white")
        picture.alpha_composite(layer)
    picture = picture.convert("RGB")
    picture.format = kind
    return picture
