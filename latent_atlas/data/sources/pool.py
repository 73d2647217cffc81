"""A function over a long sequence by all cores, in order and in constant memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from latent_atlas.util.console import UserError

Given = TypeVar("Given")
Made = TypeVar("Made")

_AHEAD = 2  # blocks a worker that are under way or wait to be written


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blocks(items: Iterable[Given], size: int) -> Iterator[list[Given]]:
    """Cut a sequence into lists of `size`; the last may be shorter."""
    iterator = iter(items)
    while block := list(islice(iterator, size)):
        yield block


def in_order(
    function: Callable[[Given], Made], given: Iterable[Given], workers: int
) -> Iterator[tuple[Given, Made]]:
    """Yield ``x, function(x)`` for each x of `given`, in its order whatever `workers` is.

    At most ``workers * 2`` results are held at any time. With one worker everything happens in
    this process.

    Raises:
        UserError: if the system ends a worker, which is what it does when memory runs out.
    """
    if workers <= 1:
        for piece in given:
            yield piece, function(piece)
        return
    # Spawned, not forked: a copy of a process that runs threads may wait for a lock for ever.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_follow_parent)
    waiting: deque[tuple[Given, Future[Made]]] = deque()
    try:
        for piece in given:
            waiting.append((piece, executor.submit(function, piece)))
            if len(waiting) >= workers * _AHEAD:
                yield _done(*waiting.popleft())
        while waiting:
            yield _done(*waiting.popleft())
    except BrokenProcessPool:
        raise UserError(
            "a worker process was ended by the system, probably for want of memory; "
            "run again with more memory or fewer cores (taskset)"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _done(piece: Given, future: Future[Made]) -> tuple[Given, Made]:
    return piece, future.result()


def _follow_parent() -> None:
    """Leave the keyboard to the parent, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
