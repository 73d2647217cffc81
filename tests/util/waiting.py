"""A check of locks that a second user waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from latent_atlas.util import locks


def messages_of_the_second(
    enter: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Enter a block in a second thread while the first is in it: the second has to wait.

    Returns:
        The messages of the second thread.
    """
    messages, has_message, is_inside = list[str](), threading.Event(), threading.Event()

    def record(text: str) -> None:
        messages.append(text)
        has_message.set()

    monkeypatch.setattr(locks, "say", record)

    def second() -> None:
        with enter():
            is_inside.set()

    with enter():
        thread = threading.Thread(target=second)
        thread.start()
        assert has_message.wait(60)
        assert not is_inside.wait(0.3)
    thread.join(60)
    assert is_inside.is_set()
    return messages
