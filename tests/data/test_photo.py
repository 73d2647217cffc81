"""Pictures from outside: whole ones in, upright; damaged ones out with a reason."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from latent_atlas.data.photo import PhotoError, open_photo


def encoded(kind: str, exif: bytes | Image.Exif = b"") -> bytes:
    pixels = np.arange(12 * 8 * 3, dtype=np.uint8).reshape(12, 8, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_an_exif_turn_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.asarray(open_photo(encoded(kind), 1000))
    turned = open_photo(encoded(kind, exif), 1000)
    assert (turned.format, turned.size) == (kind, (12, 8))
    assert np.array_equal(np.asarray(turned), np.rot90(upright, -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no TIFF header", b"II*\0"])
def test_a_damaged_exif_is_no_damage_to_the_picture(kind: str, exif: bytes) -> None:
    found = open_photo(encoded(kind, b"Exif\0\0" + exif), 1000)
    assert np.array_equal(np.asarray(found), np.asarray(open_photo(encoded(kind), 1000)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<html>", "not an image"),
        (encoded("PNG")[:-40], "truncated"),
        (encoded("JPEG"), "more than 95 pixels"),
    ],
)
def test_what_is_no_picture(content: bytes, reason: str) -> None:
    with pytest.raises(PhotoError, match=f"^{reason}$"):
        open_photo(content, 95 if "pixels" in reason else 1000)
