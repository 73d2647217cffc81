"""Parallel work on the cores of this machine, with results in the order of the items."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from joblib.externals import loky

from latent_atlas.util.console import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_SECONDS = 1.0


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blocks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Cut a sequence into lists of `size` items; the last list may be shorter."""
    iterator = iter(items)
    while block := list(islice(iterator, size)):
        yield block


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int | None = None,
    threads: bool = False,
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item, in the order of the items for any number of jobs.

    At most ``2 * jobs`` items are in work or wait to be yielded. With one job, everything happens
    in the calling thread. Closing the generator ends the workers.

    The processes are joblib's (loky), but not used through `joblib.Parallel`, which does not wait
    for a slow consumer: the results of a long sequence could fill the memory.

    Args:
        function: a function of one item; picklable unless `threads`.
        items: read lazily, in the calling thread.
        jobs: workers; None takes all cores that this process may use.
        threads: run in threads of this process, for work that is spent in compiled loops. The
            default is a pool of processes. They end with this process, even if it is killed.

    Raises:
        UserError: if the system ends a worker process, which it does when memory runs out.
    """
    jobs = cores() if jobs is None else jobs
    if jobs <= 1:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    try:
        with _pool(jobs, threads) as pool:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) == 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool:
        raise UserError(
            "the system ended a worker process, probably because memory ran out; "
            "run again with more memory or fewer cores (taskset)"
        ) from None


@contextmanager
def _pool(jobs: int, threads: bool) -> Iterator[Executor]:
    """A pool that ends with the block; work that is unfinished by then is dropped."""
    if threads:
        pool: Any = ThreadPoolExecutor(jobs)
        end = {"cancel_futures": True}
    else:
        pool = loky.ProcessPoolExecutor(jobs, initializer=_follow_parent, initargs=(os.getpid(),))
        end = {"kill_workers": True}
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, **end)


def _follow_parent(parent: int) -> None:
    """Leave Ctrl-C to the parent, and end soon after it; loky's workers would wait 5 minutes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_end, args=(parent,), daemon=True).start()


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
