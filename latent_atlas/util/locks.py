"""Lock files: one process at a time uses a place on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from latent_atlas.util.console import UserError, say


@contextmanager
def exclusive_lock(path: Path, busy: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file for the block.

    Args:
        path: the lock file; its folder is created if necessary.
        busy: what a process that holds the lock is doing, e.g. ``another probe is running``.
        wait: wait until the lock is released, with a message, instead of raising an error.

    Raises:
        UserError: if another process holds the lock, or its folder cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, path, busy, wait)
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}), expected a writable "
            "folder; change its permissions, or move away what is in its place"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock file `path`."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, PermissionError):  # a lock file without permission belongs to another user
        return True
    lock.release()
    return False


def _acquire(lock: FileLock, path: Path, busy: str, wait: bool) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise UserError(f"{busy} ({path} is locked); wait until it ends") from None
        say(f"{busy} ({path} is locked); waiting until it ends")
        lock.acquire()
