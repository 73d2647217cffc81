"""What every lock that is waited for has to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from latent_atlas.util import locks


def said_by_the_second(
    enter: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Enter twice at a time: the second one has to say something and come after the first."""
    said, told, inside = list[str](), threading.Event(), threading.Event()

    def hear(text: str) -> None:
        said.append(text)
        told.set()

    monkeypatch.setattr(locks, "say", hear)

    def second() -> None:
        with enter():
            inside.set()

    with enter():
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60)
        assert not inside.wait(0.3)
    thread.join(60)
    assert inside.is_set()
    return said
