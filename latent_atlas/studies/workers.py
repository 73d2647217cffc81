"""Worker processes that finish the cells of a study, with one progress bar for all cells."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from latent_atlas.studies.cell import Job, finish_cell
from latent_atlas.util import arithmetic
from latent_atlas.util.console import Progress, UserError, say

POLL_SECONDS = 0.5
"""Time between two updates of the progress bar."""

ONE_THREAD = dict.fromkeys(arithmetic.THREADS, "1")
"""Environment of a worker: no result depends on how many cells are trained at the same time."""

_SPAWN = multiprocessing.get_context("spawn")


def finish_cells(
    title: str, jobs: Sequence[Job], workers: int, after: Callable[[], None] | None = None
) -> dict[str, str]:
    """Finish the cells that have no result yet.

    Args:
        title: of the progress bar.
        jobs: all cells.
        workers: processes of one thread each; their number changes no result.
        after: called after each cell that is finished.

    Returns:
        Name of the run of each failed cell → the reason.
    """
    waiting = [job for job in jobs if job.result() is None]
    failures = dict[str, str]()
    if not waiting:
        return failures
    total, remaining = sum(job.images for job in jobs), sum(job.images for job in waiting)
    finished, queue = len(jobs) - len(waiting), deque(waiting)
    running = dict[Future[None], Worker]()
    with (
        Progress(title, total, "images", start=total - remaining) as progress,
        ExitStack() as stack,
    ):
        progress.note(f"{finished}/{len(jobs)} cells")
        idle = [Worker(stack) for _ in range(min(workers, len(waiting)))]
        while queue or running:
            while queue and idle:
                worker = idle.pop()
                running[worker.start(queue.popleft())] = worker
            ended, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            for future, worker in running.items():
                worker.show(progress, future in ended)
            for future in ended:
                worker = running.pop(future)
                problem = worker.problem(future)
                if problem is None:
                    finished += 1
                    if after is not None:
                        after()
                else:
                    failures[worker.job.run.name] = problem
                    say(f"{worker.job.run.name} failed: {problem}")
                progress.note(f"{finished}/{len(jobs)} cells")
                idle.append(worker if worker.is_usable() else Worker(stack))
    return failures


class ProgressReporter:
    """Progress callback of a worker, which adds to counts in memory shared with the study.

    Args:
        counts: skipped and done units; only this worker writes them, so they need no lock.
    """

    def __init__(self, counts: Any) -> None:
        self._counts = counts

    def __call__(self, what: str, units: int) -> None:
        """Report that `units` units were ``"skipped"`` or ``"done"``."""
        self._counts[what == "done"] += units


class Worker:
    """A process in a pool of its own: if it dies, the pool is broken, and its cell is identified.

    Args:
        stack: ends the process with its block.

    Attributes:
        job: the cell that was handed over last.
    """

    job: Job

    def __init__(self, stack: ExitStack) -> None:
        self._counts: Any = _SPAWN.RawArray("q", 2)
        self._shown = (0, 0)
        self._pool = ProcessPoolExecutor(1, _SPAWN, _start_worker, (self._counts,))
        self._process: Any = None
        stack.callback(self.stop)

    def start(self, job: Job) -> Future[None]:
        """Hand over a cell; the first one starts the process."""
        self.job, self._shown = job, (0, 0)
        self._counts[:] = self._shown
        before = multiprocessing.active_children()
        try:
            with _worker_environment():
                future = self._pool.submit(finish_cell, job)
        except OSError as error:
            future = Future()
            future.set_exception(
                UserError(
                    f"no process could be started ({error.strerror or error}); "
                    "free memory or lower --jobs, and run it again"
                )
            )
        started = [child for child in multiprocessing.active_children() if child not in before]
        self._process = started[0] if started else self._process
        return future

    def show(self, progress: Progress, ended: bool) -> None:
        """Show what was done since the last call; the rest of a cell that has ended is skipped."""
        skipped, done = self._counts
        if ended:  # it failed, stopped early, or was trained by an earlier study
            skipped = self.job.images - done
        progress.skip(skipped - self._shown[0])
        progress.advance(done - self._shown[1])
        self._shown = skipped, done

    def problem(self, future: Future[None]) -> str | None:
        """The reason for which a cell failed; None if it is finished."""
        error = future.exception()
        if error is None:
            return None
        if isinstance(error, BrokenProcessPool):
            self._pool.shutdown()  # waits for the process, so that its exit code is set
            code = self._process.exitcode if self._process is not None else 0
            how = f"signal {-code}" if code < 0 else f"exit status {code}"
            return f"its process ended by {how}; run the study again to continue"
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return " ".join(reason.split())

    def is_usable(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.exitcode is None

    def stop(self) -> None:
        """End the process, whether its cell is finished or not."""
        if self._process is not None:
            self._process.terminate()
        self._pool.shutdown(cancel_futures=True)


def _start_worker(counts: Any) -> None:
    """Prepare a new worker process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    # With a handler here, Lightning adds none of its own, which would keep the first cell's log.
    logging.getLogger().addHandler(logging.lastResort or logging.StreamHandler())
    Progress.callback = ProgressReporter(counts)


def _end_with_parent() -> None:
    """End this process when its parent ends; all files are written whole or not at all."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Give a process that starts in this block one thread, and block Ctrl-C in it.

    A process inherits the blocked signals: only the study receives Ctrl-C, and ends its workers.
    """
    old = {name: os.environ.get(name) for name in ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in old.items():
            del os.environ[name]
            os.environ |= {name: value} if value is not None else {}
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
