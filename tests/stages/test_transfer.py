"""The command that transfers quadrants from one picture to another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_atlas.util.console import UserError
from stages import transfer as command


@pytest.fixture
def pictures(
    tmp_path: Path,
    train_dense: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with a run, and two pictures of other sizes than those of its training images."""
    train_dense("models/scenes_mixing")
    Image.new("RGB", (80, 50), (200, 0, 0)).save(tmp_path / "a.png")
    Image.new("L", (40, 70), 255).save(tmp_path / "b.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["transfer", *arguments])
    command.main()


def test_the_sheet_shows_the_object_and_its_pasted_quadrant(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "a.png", "b.png", "--mask", "0010")
    assert capsys.readouterr().out == "transfer.png\n"
    with Image.open(pictures / "transfer.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    red = (pixels == (200, 0, 0)).all(axis=2)
    # The whole object, and the pasted quarter of it.
    assert red.sum() == pytest.approx(1.25 * (32 * 4) ** 2, rel=0.01)


@pytest.mark.parametrize("mask", ["10", "0120", "00100"])
def test_a_mask_of_other_than_four_or_nine_binary_digits_is_refused(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, mask: str
) -> None:
    with pytest.raises(UserError, match=f"--mask: found '{mask}', expected four digits"):
        run(monkeypatch, "a.png", "b.png", "--mask", mask)


def test_an_unreadable_picture_is_refused_by_name(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "b.png").write_text("no picture")
    with pytest.raises(UserError, match=r"b\.png: not an image"):
        run(monkeypatch, "a.png", "b.png", "--mask", "1000")
    with pytest.raises(UserError, match=r"c\.png: cannot be read"):
        run(monkeypatch, "a.png", "c.png", "--mask", "1000")
    assert not (pictures / "transfer.png").exists()


def test_segments_transfer_only_the_foreground(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = Image.new("RGB", (32, 32), (0, 0, 90))
    square.paste((200, 0, 0), (4, 4, 12, 12))
    square.save(pictures / "a.png")
    run(monkeypatch, "a.png", "b.png", "--segments")
    with Image.open(pictures / "transfer.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    red = (pixels == (200, 0, 0)).all(axis=2).sum()
    blue = (pixels == (0, 0, 90)).all(axis=2).sum()
    assert red == pytest.approx(
        2 * (8 * 4) ** 2, rel=0.05
    )  # in the object and in the pasted picture
    assert blue < 1.1 * (32**2 - 8**2) * 4**2  # the background is not pasted


def test_images_that_cannot_be_cut_into_nine_tiles_are_refused(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match="3×3 tiles need sides that 3 divides; found images of 32×32"
    ):
        run(monkeypatch, "a.png", "b.png", "--mask", "000010000")
    with pytest.raises(UserError, match="--mask: found '', expected four digits"):
        run(monkeypatch, "a.png", "b.png")


def test_a_run_is_given_by_name_or_as_a_folder(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = []
    (pictures / "models/scenes_mixing").rename(pictures / "models/other")
    for name in ("other", "models/other", str(pictures / "models/other")):
        run(monkeypatch, "a.png", "b.png", "--mask", "1000", "--run", name, "--out", "sheet.png")
        sheets.append((pictures / "sheet.png").read_bytes())
    assert len(set(sheets)) == 1
    with pytest.raises(UserError, match="--run: found 'othr', expected a run with a folder models"):
        run(monkeypatch, "a.png", "b.png", "--mask", "1000", "--run", "othr")
