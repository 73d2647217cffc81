"""Locks: one process at a time, and one line for a second process or an unwritable folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from latent_atlas.util.locks import exclusive_lock, is_locked
from tests.conftest import ROOT
from tests.util.waiting import messages_of_the_second

HOLDER = """
import sys
from pathlib import Path
from latent_atlas.util.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), "busy"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_fails_at_once_and_a_dead_one_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with (
            pytest.raises(UserError, match=r"^busy \(.*one\.lock is locked\); wait until it ends$"),
            exclusive_lock(path, "busy"),
        ):
            pytest.fail("two processes hold the lock")
        assert is_locked(path)
        holder.kill()
    assert not is_locked(path)
    with exclusive_lock(path, "busy"):
        pass


def test_a_waiting_process_says_so_and_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "one.lock"
    messages = messages_of_the_second(lambda: exclusive_lock(path, "busy", wait=True), monkeypatch)
    assert messages == [f"busy ({path} is locked); waiting until it ends"]


def test_a_lock_without_permission_counts_as_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert is_locked(tmp_path / "one.lock")


def test_an_error_in_the_block_releases_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with pytest.raises(ZeroDivisionError), exclusive_lock(path, "busy"):
        raise ZeroDivisionError
    with exclusive_lock(path, "busy"):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    expected = r"file: cannot be written \(.+\), expected a writable folder; change its permissions"
    with (
        pytest.raises(UserError, match=expected),
        exclusive_lock(tmp_path / "file" / "one.lock", "busy"),
    ):
        pytest.fail("there is no such folder")
