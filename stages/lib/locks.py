"""A place on the disk that one process uses at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stages.lib.console import UserError


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file `path` for a block; its folder is made if it is not there.

    Args:
        path: the lock file, beside what is to be kept from others.
        busy: what another process that holds it is doing, e.g. ``another probe is running``.

    Raises:
        UserError: if another process holds it, or the place cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{busy} ({path} is locked); wait for its end") from None
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written ({error.strerror or error}), expected a folder for "
            "what is kept between runs; make room for it"
        ) from None
    try:
        yield
    finally:
        lock.release()
