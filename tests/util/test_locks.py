"""Locks: one process at a time, and one line for whoever comes second or cannot write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from latent_atlas.util.locks import alone, held
from tests.conftest import ROOT
from tests.util.waiting import said_by_the_second

HOLDER = """
import sys
from pathlib import Path
from latent_atlas.util.locks import alone
with alone(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_told_at_once_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match=r"^busy \(.*one\.lock is locked\); wait for its end$"),
            alone(path, "busy"),
        ):
            pytest.fail("two hold the lock")
        assert held(path)
        holder.kill()
    assert not held(path)
    with alone(path, "busy"):
        pass


def test_who_waits_says_so_and_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.lock"
    said = said_by_the_second(lambda: alone(path, "busy", wait=True), monkeypatch)
    assert said == [f"busy ({path} is locked); waiting for its end"]


def test_a_lock_that_may_not_be_touched_is_somebody_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert held(tmp_path / "one.lock")


def test_an_error_within_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with pytest.raises(ZeroDivisionError), alone(path, "busy"):
        raise ZeroDivisionError
    with alone(path, "busy"):
        pass


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    expected = r"file: cannot be written \(.+\), expected a folder .+; make room for it$"
    with pytest.raises(UserError, match=expected), alone(tmp_path / "file" / "one.lock", "busy"):
        pytest.fail("there is no such folder")
