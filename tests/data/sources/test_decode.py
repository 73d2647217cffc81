"""Decoding: known pixels of known files, and the reasons for the rejection of others."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from latent_atlas.data.sources import decode as module
from latent_atlas.data.sources.decode import Target, decode, place, resize
from latent_atlas.data.sources.items import RejectedError, View
from tests.data.sources.pictures import encoded, picture

RGB = Target(8, 8, 3, "stretch")
GREY = Target(8, 8, 1, "stretch")
RED = (200, 10, 30)


def plain(mode: str, colour: object, size: tuple[int, int] = (20, 20)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def only_colour(pixels: np.ndarray) -> tuple[int, ...]:
    colours = np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)
    assert len(colours) == 1, colours
    return tuple(int(value) for value in colours[0])


def test_shape_and_type() -> None:
    views = (View(), View("flip", flip=True))
    assert decode(encoded(picture(0)), Target(5, 7, 3, "crop"), views).shape == (2, 5, 7, 3)
    assert decode(encoded(picture(0)), Target(5, 7, 1, "pad"), views).shape == (2, 5, 7, 1)
    assert decode(encoded(picture(0)), RGB).dtype == np.uint8


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
def test_lossless_formats_keep_a_plain_colour(kind: str) -> None:
    data = encoded(plain("RGB", RED), kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert only_colour(decode(data, RGB)[0]) == RED


def test_grey_to_rgb_and_rgb_to_grey() -> None:
    assert only_colour(decode(encoded(plain("L", 77)), RGB)[0]) == (77, 77, 77)
    luma = round(0.299 * 200 + 0.587 * 10 + 0.114 * 30)
    assert only_colour(decode(encoded(plain("RGB", RED)), GREY)[0]) == (luma,)


def test_palette() -> None:
    image = plain("P", 1)
    image.putpalette([0, 0, 0, *RED])
    assert only_colour(decode(encoded(image), RGB)[0]) == RED


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "RGB", "L"])
def test_transparency_is_composited_on_white(mode: str) -> None:
    if mode == "P":
        image = plain("P", 1)
        image.putpalette([0, 0, 0, *RED])
        data = encoded(image, transparency=1)
    elif mode in ("RGB", "L"):
        colour = RED if mode == "RGB" else 9
        data = encoded(plain(mode, colour), transparency=colour)
    else:
        data = encoded(plain(mode, (*RED, 0) if mode == "RGBA" else (9, 0)))
    assert only_colour(decode(data, RGB)[0]) == (255, 255, 255)


def test_partial_transparency_is_mixed_with_white() -> None:
    colour = only_colour(decode(encoded(plain("RGBA", (0, 0, 0, 51))), RGB)[0])
    assert colour == (204, 204, 204)


def test_cmyk_jpeg() -> None:
    image = plain("RGB", RED).convert("CMYK")
    colour = only_colour(decode(encoded(image, "JPEG", quality=95), RGB)[0])
    assert np.abs(np.subtract(colour, RED)).max() <= 3


@pytest.mark.parametrize("level, expected", [(0, 0), (65535, 255), (32896, 128), (257, 1)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(level: int, expected: int, kind: str) -> None:
    image = Image.fromarray(np.full((20, 20), level, np.uint16))
    assert only_colour(decode(encoded(image, kind), GREY)[0]) == (expected,)


@pytest.mark.parametrize("kind, dtype", [("integers", np.int32), ("floats", np.float32)])
def test_pixels_without_a_known_range_are_rejected(kind: str, dtype: type) -> None:
    data = encoded(Image.fromarray(np.ones((9, 9), dtype)), "TIFF")
    with pytest.raises(RejectedError, match="32-bit"):
        decode(data, GREY)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_every_exif_rotation(kind: str) -> None:
    upright = picture(3, 16, 24)
    turns = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    target = Target(16, 24, 3, "stretch")
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = upright if turn is None else upright.transpose(turn)
        data = encoded(turned, kind, exif=exif)
        pixels = decode(data, target, size=(24, 16))[0]
        assert np.array_equal(pixels, np.asarray(upright)), orientation
        wide = Target(16, 36, 3, "pad")
        assert np.array_equal(decode(data, wide)[0][:, 6:30], np.asarray(upright)), orientation


def test_the_draft_of_a_rotated_jpeg_has_enough_pixels() -> None:
    upright = picture(3, 640, 320)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    target = Target(32, 16, 3, "crop")
    pixels = decode(data, target)[0].astype(int)
    expected = np.asarray(upright.resize((16, 32), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(pixels - expected).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no TIFF header", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff"])
def test_a_damaged_exif_does_not_change_the_image(kind: str, exif: bytes) -> None:
    image = picture(3, 16, 24)
    pixels = decode(encoded(image, kind, exif=b"Exif\0\0" + exif), RGB)
    assert np.array_equal(pixels, decode(encoded(image, kind), RGB))


def test_a_long_note_or_profile_in_a_png_is_accepted() -> None:
    image, note = picture(3, 16, 24), PngInfo()
    note.add_text("history", "x" * 3 * 2**20, zip=True)
    for options in ({"pnginfo": note}, {"icc_profile": bytes(3 * 2**20)}):
        pixels = decode(encoded(image, **options), RGB)
        assert np.array_equal(pixels, decode(encoded(image), RGB))
    note.add_text("bomb", "x" * 70 * 2**20, zip=True)
    with pytest.raises(RejectedError, match="damaged"):
        decode(encoded(image, pnginfo=note), RGB)


def test_a_draft_changes_the_pixels_by_less_than_40_db(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(picture(5, 900, 700), "JPEG", quality=95)
    target = Target(32, 32, 3, "crop")
    drafted = decode(data, target)[0].astype(float)
    monkeypatch.setattr(module, "_DRAFT_MARGIN", 1e6)
    full = decode(data, target)[0].astype(float)
    assert not np.array_equal(drafted, full)  # otherwise there was no draft
    assert 10 * np.log10(255**2 / ((drafted - full) ** 2).mean()) > 40


def test_reduction_is_anti_aliased() -> None:
    fine = np.indices((64, 64)).sum(0) % 2 * 255  # a checkerboard of single pixels
    pixels = decode(encoded(Image.fromarray(fine.astype(np.uint8))), GREY)[0]
    assert np.abs(pixels.astype(int) - 127).max() <= 8


def test_crop_takes_the_centre() -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = RED
    cropped = decode(encoded(Image.fromarray(pixels)), Target(8, 8, 3, "crop"))[0]
    assert np.abs(cropped[:, 1:-1].astype(int) - RED).max() <= 2  # the filter crosses the edge


def test_pad_continues_the_border() -> None:
    pixels = np.full((10, 20, 3), RED, np.uint8)
    pixels[4:6, 9:11] = 0
    padded = decode(encoded(Image.fromarray(pixels)), Target(20, 20, 3, "pad"))[0]
    assert only_colour(padded[:5]) == RED
    assert only_colour(padded[-5:]) == RED
    assert np.array_equal(padded[5:15], pixels)


def test_flip_and_region() -> None:
    image = picture(1, 8, 8)
    views = (View(), View("flip", flip=True), View("crop1", (0.5, 0.0, 1.0, 0.5)))
    whole, flipped, part = decode(encoded(image), RGB, views)
    assert np.array_equal(flipped, whole[:, ::-1])
    corner = image.resize((8, 8), Image.Resampling.LANCZOS, box=(4, 0, 8, 4))
    assert np.array_equal(part, np.asarray(corner))


def test_raw_pixels() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(resize(pixels, GREY)[0, :, :, 0], pixels)
    assert np.array_equal(resize(pixels, RGB)[0], np.stack([pixels] * 3, -1))


@settings(deadline=None)
@given(
    st.integers(1, 500),
    st.integers(1, 500),
    st.integers(1, 64),
    st.integers(1, 64),
    st.sampled_from(["crop", "pad", "stretch"]),
)
def test_place_stays_inside_and_keeps_the_shape(
    width: int, height: int, across: int, down: int, fit: str
) -> None:
    placed = place(width, height, View(), Target(down, across, 3, fit))  # type: ignore[arg-type]
    left, top, right, bottom = placed.box
    assert 0 <= left < right <= width + 1e-6
    assert 0 <= top < bottom <= height + 1e-6
    assert placed.offset[0] + placed.size[0] <= across
    assert placed.offset[1] + placed.size[1] <= down
    if fit == "crop":
        assert (right - left) * down == pytest.approx((bottom - top) * across)
        assert (right - left) == pytest.approx(width) or (bottom - top) == pytest.approx(height)
    if fit == "pad":
        assert placed.box == (0, 0, width, height)
        assert across in placed.size[:1] or down in placed.size[1:]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["crop", "pad", "stretch"]))
def test_a_uniform_image_stays_uniform_in_any_shape(width: int, height: int, fit: str) -> None:
    data = encoded(plain("RGB", RED, (width, height)))
    assert only_colour(decode(data, Target(9, 6, 3, fit))[0]) == RED  # type: ignore[arg-type]


def test_an_empty_file_is_rejected() -> None:
    with pytest.raises(RejectedError, match=r"^empty file$"):
        decode(b"", RGB)


@pytest.mark.parametrize(
    "data",
    [b"hello, world\n" * 50, b"\xff\xd8", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n"],
)
def test_bytes_that_are_not_an_image_are_rejected(data: bytes) -> None:
    with pytest.raises(RejectedError, match=r"^(not an image|truncated)$"):
        decode(data, RGB)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF"])
def test_a_truncated_file_is_rejected(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    with pytest.raises(RejectedError):
        decode(data[: len(data) // 2], RGB)


def test_a_truncated_jpeg_has_this_reason() -> None:
    data = encoded(picture(0, 200, 200), "JPEG")
    with pytest.raises(RejectedError, match=r"^truncated$"):
        decode(data[: len(data) * 2 // 3], RGB)


def _png_header(width: int, height: int) -> bytes:
    """A PNG with a size in its header and no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("width, height", [(10_001, 10_000), (30_000, 30_000)])
def test_a_decompression_bomb_is_rejected_before_decoding(width: int, height: int) -> None:
    with pytest.raises(RejectedError, match="decompression bomb"):
        decode(_png_header(width, height), RGB)


def test_the_expected_size_is_checked() -> None:
    with pytest.raises(RejectedError, match="has 10×12 pixels, but the source promises 12×10"):
        decode(encoded(picture(0)), RGB, size=(12, 10))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF"]))
def test_a_changed_byte_raises_no_other_error(at: int, value: int, kind: str) -> None:
    data = bytearray(encoded(picture(2, 30, 30), kind))
    data[at % len(data)] = value
    try:
        pixels = decode(bytes(data), RGB)
    except RejectedError as error:
        assert "\n" not in str(error)
    else:
        assert pixels.shape == (1, 8, 8, 3)


def test_an_animation_gives_its_first_frame() -> None:
    file = io.BytesIO()
    frames = [plain("RGB", RED), plain("RGB", (0, 0, 255))]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert only_colour(decode(file.getvalue(), RGB)[0]) == RED


def _tiff(levels: np.ndarray, photometric: int) -> bytes:
    """A grey TIFF of 16 bits; Pillow does not write those in which 0 is white."""
    height, width = levels.shape
    data = levels.astype("<u2").tobytes()
    start = 8 + 2 + 8 * 12 + 4
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, photometric), (273, start)]
    tags += [(277, 1), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def test_16_bits_with_either_photometric_interpretation() -> None:
    levels = np.array([[0, 257, 32768, 65535]] * 4)
    target = Target(4, 4, 1, "stretch")
    black, white = (decode(_tiff(levels, end), target)[0, 0, :, 0] for end in (1, 0))
    assert black.tolist() == [0, 1, 128, 255]
    assert white.tolist() == [255, 254, 127, 0]


def test_16_bits_with_a_transparent_level_are_composited_on_white() -> None:
    levels = np.array([[0, 257, 32768, 65535]] * 4, np.uint16)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", transparency=257)
    pixels = decode(file.getvalue(), Target(4, 4, 1, "stretch"))
    assert pixels[0, 0, :, 0].tolist() == [0, 255, 128, 255]


@pytest.mark.parametrize("level, expected", [(0, 0), (4095, 255), (2056, 128), (16, 1)])
def test_12_bits_are_scaled_by_their_own_range(level: int, expected: int) -> None:
    pixels = bytes.fromhex(f"{level:03x}" * 2) * (20 * 20 // 2)
    tags = {256: 20, 257: 20, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 20, 279: len(pixels)}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    header = b"II*\0" + struct.pack("<I", 8 + len(pixels))
    data = header + pixels + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)
    assert only_colour(decode(data, GREY)[0]) == (expected,)
