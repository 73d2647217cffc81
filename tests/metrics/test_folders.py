"""Scores between two folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_atlas.data.sources import decode
from latent_atlas.metrics.folders import compare_folders, open_folder, read_image
from latent_atlas.util.console import UserError
from tests.translations import tiny_backbone

RANDOM = np.random.default_rng(0)


def write(folder: Path, count: int, side: int = 16, shift: int = 0) -> np.ndarray:
    """Write `count` PNG files, 00.png and so on."""
    folder.mkdir(parents=True)
    images = RANDOM.integers(0, 200, (count, side, side, 3), dtype=np.uint8) + np.uint8(shift)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return images


def test_equal_folders_have_no_distance(tmp_path: Path) -> None:
    write(tmp_path / "a", 8)
    folder = open_folder(tmp_path / "a")
    found = compare_folders(folder, folder, tiny_backbone(), 16)
    assert found.images == (8, 8)
    assert found.pairs == 8
    assert found.left_out == []
    assert found.scores["frechet_tiny"] == pytest.approx(0, abs=1e-6)
    assert found.scores["precision"] == found.scores["coverage"] == 1
    assert found.scores["l1"] == 0
    assert found.scores["psnr"] == 100


def test_pairs_match_by_name_whatever_their_suffix(tmp_path: Path) -> None:
    real, fake = write(tmp_path / "a", 7), write(tmp_path / "b", 9, shift=20)
    Image.fromarray(fake[3]).save(tmp_path / "b" / "03.bmp")
    (tmp_path / "b" / "03.png").unlink()
    (tmp_path / "b" / "notes.txt").write_text("no image")
    folders = open_folder(tmp_path / "a"), open_folder(tmp_path / "b")
    found = compare_folders(*folders, tiny_backbone(), 16)
    assert found.images == (7, 9)
    assert found.pairs == 7
    expected = np.abs(real.astype(float) - fake[:7]).mean() / 255
    assert found.scores["l1"] == pytest.approx(expected)


def test_too_few_images_leave_metrics_out_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path / "a", 3)
    write(tmp_path / "b", 2)
    for number in range(2):
        (tmp_path / "b" / f"{number:02}.png").rename(tmp_path / "b" / f"x{number}.png")
    folders = open_folder(tmp_path / "a"), open_folder(tmp_path / "b")
    found = compare_folders(*folders, tiny_backbone(), 16)
    assert set(found.scores) == {"frechet_tiny", "kid_tiny"}
    assert found.left_out == [
        "precision, recall, density, coverage: found 3 and 2 images, expected at least 6 of each",
        "l1, psnr, ssim: no names of files match",
    ]


def test_fid_needs_as_many_images_as_features(tmp_path: Path) -> None:
    write(tmp_path / "a", 6)
    folder, backbone = open_folder(tmp_path / "a"), tiny_backbone()
    backbone.name = "inception@weights.pth"
    found = compare_folders(folder, folder, backbone, 16)
    assert "fid" not in found.scores
    assert "kid" in found.scores
    assert "fid: found 6 and 6 images, expected at least 2048 of each" in found.left_out


def test_wrong_folders_and_files_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="nothing: found no folder"):
        open_folder(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: found no image"):
        open_folder(tmp_path / "empty")
    write(tmp_path / "a", 6)
    write(tmp_path / "b", 6, side=20)
    folders = open_folder(tmp_path / "a"), open_folder(tmp_path / "b")
    with pytest.raises(UserError, match=r"00.png: has 20×20 pixels, but .*00.png has 16×16"):
        compare_folders(*folders, tiny_backbone(), 16)
    (tmp_path / "a" / "01.png").write_bytes(b"not an image")
    with pytest.raises(UserError, match=r"a/01.png: not an image; remove it"):
        compare_folders(*folders, tiny_backbone(), 16)
    monkeypatch.setattr(decode, "MAX_PIXELS", 100)
    with pytest.raises(UserError, match="decompression bomb"):
        read_image(tmp_path / "b" / "00.png")


def test_images_are_read_in_their_own_size_with_their_own_pixels(tmp_path: Path) -> None:
    image = RANDOM.integers(0, 256, (13, 29, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.png")[0], image)
    turned = Image.fromarray(image)
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    turned.save(tmp_path / "y.png", exif=exif)
    assert read_image(tmp_path / "y.png").shape == (1, 29, 13, 3)
