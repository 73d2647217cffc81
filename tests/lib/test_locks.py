"""Locks: one process at a time, and one line for whoever comes second or cannot write."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stages.lib import locks
from stages.lib.console import UserError
from stages.lib.locks import alone, held
from tests.conftest import ROOT

HOLDER = """
import sys
from pathlib import Path
from stages.lib.locks import alone
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
    said, told, inside = list[str](), threading.Event(), threading.Event()

    def hear(text: str) -> None:
        said.append(text)
        told.set()

    monkeypatch.setattr(locks, "say", hear)

    def second() -> None:
        with alone(path, "busy", wait=True):
            inside.set()

    with alone(path, "busy"):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60)
        assert not inside.wait(0.2)
    thread.join(60)
    assert inside.is_set()
    assert said == [f"busy ({path} is locked); waiting for its end"]


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
