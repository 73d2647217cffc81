"""A place on the disk that one process uses at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from latent_atlas.util.console import UserError, say


@contextmanager
def alone(path: Path, busy: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` for a block; its folder is made if it is not there.

    Args:
        path: the lock file, beside what is to be kept from others.
        busy: what another process that holds it is doing, e.g. ``another probe is running``.
        wait: say so and wait for the other one's end, in place of an error.

    Raises:
        UserError: if another process holds it, or the place cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _acquire(lock, path, busy, wait)
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}), expected a folder for "
            "what is kept between runs; make room for it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def held(path: Path) -> bool:
    """Whether a process holds the lock file `path`; one that has died holds nothing."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, PermissionError):  # what we may not touch is somebody else's
        return True
    lock.release()
    return False


def _acquire(lock: FileLock, path: Path, busy: str, wait: bool) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise UserError(f"{busy} ({path} is locked); wait for its end") from None
        say(f"{busy} ({path} is locked); waiting for its end")
        lock.acquire()
