"""Bytes from outside to an RGB picture, within limits, or the reason why not."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress

from PIL import Image, ImageOps, UnidentifiedImageError

# Formats that Pillow decodes itself: none that starts another program, as EPS does.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

EXIF_ERRORS = (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error)
"""What Pillow raises over a damaged EXIF; the picture beside it may be whole."""


class PhotoError(Exception):
    """The bytes are no usable picture; the text is the reason."""


def open_photo(content: bytes, max_pixels: int) -> Image.Image:
    """Decode a picture whole: the first frame, upright, transparency laid on white.

    Args:
        content: the bytes of a file.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        an RGB picture whose ``format`` names the file's format.

    Raises:
        PhotoError: with the reason.
    """
    if not content:
        raise PhotoError("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow merely dislikes is no reason to refuse
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
