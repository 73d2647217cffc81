"""Photos: pixels of complete files, and the reasons for the refusal of others."""

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
def test_an_exif_rotation_is_applied(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.asarray(open_photo(encoded(kind), 1000))
    rotated = open_photo(encoded(kind, exif), 1000)
    assert (rotated.format, rotated.size) == (kind, (12, 8))
    assert np.array_equal(np.asarray(rotated), np.rot90(upright, -1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no TIFF header", b"II*\0"])
def test_a_damaged_exif_does_not_change_the_image(kind: str, exif: bytes) -> None:
    photo = open_photo(encoded(kind, b"Exif\0\0" + exif), 1000)
    assert np.array_equal(np.asarray(photo), np.asarray(open_photo(encoded(kind), 1000)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"<html>", "not an image"),
        (encoded("PNG")[:-40], "truncated"),
        (encoded("JPEG"), "more than 95 pixels"),
    ],
)
def test_unusable_bytes_are_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(PhotoError, match=f"^{reason}$"):
        open_photo(content, 95 if "pixels" in reason else 1000)
