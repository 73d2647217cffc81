"""`stages.score`: one line or one JSON object about two folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from latent_atlas.models import backbones
from latent_atlas.util.console import UserError
from stages import score
from tests.metrics.test_folders import write
from tests.translations import tiny_backbone


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two folders of eight images; every backbone is a tiny one."""

    def load(name: str) -> backbones.Backbone:
        if name == "nothing":
            raise backbones.BackboneError("no backbone nothing")
        backbone = tiny_backbone()
        backbone.name = name
        return backbone

    monkeypatch.setattr(backbones, "load", load)
    names = [str(tmp_path / name) for name in ("a", "b")]
    for name in names:
        write(Path(name), 8)
    return names


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["score", *arguments])
    score.main()


def test_the_default_is_one_line_that_names_the_network(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, *folders)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("8 and 8 images, 8 pairs: frechet_efficientnet_lite0 ")
    assert ", ssim " in line
    assert "fid" not in line


def test_json_has_every_number(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, *folders, "--json", "--size", "16")
    values = json.loads(capsys.readouterr().out)
    assert values["pairs"] == values["real_images"] == 8
    assert {"kid_efficientnet_lite0", "coverage", "l1"} <= set(values)


def test_fid_has_its_name_only_with_the_published_weights(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call(monkeypatch, *folders, "--weights", "inception.pth")
    captured = capsys.readouterr()
    assert ": kid " in captured.out
    assert "left out: fid: found 8 and 8 images, expected at least 2048" in captured.err
    with pytest.raises(UserError, match="--weights: is for FID by Inception"):
        call(monkeypatch, *folders, "--weights", "inception.pth", "--backbone", "alexnet")


def test_a_missing_backbone_is_one_line(
    folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="no backbone nothing"):
        call(monkeypatch, *folders, "--backbone", "nothing")


@pytest.mark.parametrize("size", ["0", "-3", "99999"])
def test_a_size_out_of_range_is_one_line(
    folders: list[str], monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    with pytest.raises(UserError, match=f"--size: found {size}, expected 8 to 1024 pixels"):
        call(monkeypatch, *folders, "--size", size)
