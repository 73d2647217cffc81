"""Arguments of every command: help, and refusal of unknown options before any work."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from latent_atlas.util.console import run_command
from tests.conftest import ROOT

COMMANDS = sorted(path.stem for path in ROOT.glob("stages/[a-z]*.py"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a params.yaml alone."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("stage", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "--bogus"])
def test_help_and_unknown_options_do_no_work(
    stage: str,
    option: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = importlib.import_module(f"stages.{stage}").main
    monkeypatch.setattr(sys, "argv", [stage, option])
    with pytest.raises(SystemExit) as exit_info:
        run_command(main)
    assert (exit_info.value.code == 0) == (option == "--help")
    output = capsys.readouterr()
    assert f"python -m stages.{stage}" in output.out + output.err
    assert [path.name for path in folder.iterdir()] == ["params.yaml"]
