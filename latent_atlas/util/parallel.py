"""Parallel work on the cores of this machine, with results in the order of the items."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from latent_atlas.util.console import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int | None = None,
    threads: bool = False,
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in the order of the items for any number of jobs.

    At most ``2 * jobs`` results are held at a time. With one job everything happens in the calling
    thread.

    Args:
        function: a function of one item; picklable unless `threads`.
        items: read lazily.
        jobs: workers; None takes all cores that this process may use.
        threads: run in threads of this process, for work that is spent in compiled loops. The
            default is a pool of processes.

    Raises:
        UserError: if the system ends a worker process, which it does when memory runs out.
    """
    jobs = cores() if jobs is None else jobs
    if jobs <= 1:
        yield from map(function, items)
        return
    backend = "threading" if threads else "loky"
    pool = Parallel(
        n_jobs=jobs, backend=backend, return_as="generator", pre_dispatch="2*n_jobs", batch_size=1
    )
    results = pool(delayed(function)(item) for item in items)
    try:
        yield from results
    except TerminatedWorkerError:
        raise UserError(
            "the system ended a worker process, probably because memory ran out; "
            "run again with more memory or fewer cores (taskset)"
        ) from None
    finally:
        results.close()
