"""Every door tells its arguments, and does nothing when it does not know them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from latent_atlas.util.console import run_command
from tests.conftest import ROOT

COMMANDS = sorted(path.stem for path in ROOT.glob("stages/[a-z]*.py"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a params.yaml alone."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("stage", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "--bogus"])
def test_a_door_is_asked_before_it_works(
    stage: str,
    option: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = importlib.import_module(f"stages.{stage}").main
    monkeypatch.setattr(sys, "argv", [stage, option])
    with pytest.raises(SystemExit) as left:
        run_command(main)
    assert (left.value.code == 0) == (option == "--help")
    told = capsys.readouterr()
    assert f"python -m stages.{stage}" in told.out + told.err
    assert [path.name for path in place.iterdir()] == ["params.yaml"]
