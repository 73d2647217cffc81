"""One-line errors, and progress that is no bar where there is no terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from latent_atlas.util.console import Progress, UserError, run_command


def test_a_user_error_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError("params.yaml: beta:\n  found 'eight'")

    with pytest.raises(SystemExit) as caught:
        run_command(fail)
    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: params.yaml: beta: found 'eight'\n"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command(fail)


def test_what_the_terminal_cannot_show_ends_no_run() -> None:
    code = (
        "import sys; from latent_atlas.util.console import UserError, run_command\n"
        "def main(): print('20 → 30'); raise UserError('β: 3 ± 1')\n"
        "run_command(main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == "20 \\u2192 30\n"
    assert done.stderr == "error: \\u03b2: 3 \\xb1 1\n"


def test_ctrl_c_is_130() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        run_command(fail)
    assert caught.value.code == 130


def test_one_line_at_the_end_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("ingest", 10, "images") as progress:
        for _ in range(10):
            progress.advance()
        progress.note("all good")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ingest: 10/10 images, ")
    assert line.endswith("all good")


def test_one_line_a_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Progress("train", 300, "images", start=100) as progress:
        for _ in range(150):
            now += 1.0
            progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "train: 160/300 images, 1.0 images/s, 140 s left"
    assert lines[1] == "train: 220/300 images, 1.0 images/s, 80 s left"
    assert len(lines) == 3


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train", 1, "images", quiet=True) as progress:
        progress.advance()
    assert capsys.readouterr().err == ""


def test_a_failed_piece_of_work_claims_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), Progress("train", 1, "images"):
        raise ValueError("x")
    assert capsys.readouterr().err == ""
