"""Cells carried out by several workers, with one bar for all of them."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

from latent_atlas.data.sources.ingested import environment
from latent_atlas.studies.cell import Order
from latent_atlas.util.console import Progress, say


class Answer(NamedTuple):
    """What a worker says of an order: ``skipped`` or ``done`` with a number of images,
    ``finished``, or ``failed`` with the reason.
    """

    order: Order
    kind: str
    text: str


def carry_out(
    title: str, orders: Sequence[Order], images: Mapping[str, int], jobs: int
) -> dict[str, str]:
    """Finish all cells, `jobs` at once.

    Args:
        title: of the bar.
        orders: the cells; those that have a result are passed over.
        images: what the training of a cell takes, images times epochs, by the name of its run.
        jobs: workers, of one thread each; their number changes no result.

    Returns:
        The reason for each cell that failed, by the name of its run.
    """
    waiting = [order for order in orders if order.result() is None]
    left = {order.run.name: images[order.run.name] for order in waiting}
    total = sum(images[order.run.name] for order in orders)
    finished, failures = len(orders) - len(waiting), dict[str, str]()
    if not waiting:
        return failures
    with (
        Progress(title, total, "images", start=total - sum(left.values())) as progress,
        _Crew(waiting, min(jobs, len(waiting))) as crew,
    ):
        progress.note(f"{finished}/{len(orders)} cells")
        for order, kind, text in crew.answers():
            name = order.run.name
            if kind in ("done", "skipped"):
                left[name] -= int(text)
                (progress.advance if kind == "done" else progress.skip)(int(text))
                continue
            if kind == "failed":
                failures[name] = text
                say(f"{name} failed: {text}")
            else:
                finished += 1
            progress.skip(left[name])  # of a cell that failed, stopped early or was trained before
            progress.note(f"{finished}/{len(orders)} cells")
    return failures


class _Crew:
    """Workers, each with a thread here that hands it one order after the other.

    Leaving the block ends all of them, finished or not.
    """

    def __init__(self, orders: Sequence[Order], workers: int) -> None:
        self._count = len(orders)
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        for order in orders:
            self._orders.put(order)
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._stopping = False
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[str]] = []
        self._threads = [threading.Thread(target=self._serve) for _ in range(workers)]

    def __enter__(self) -> _Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._stopping = True
            for process in self._processes:
                process.terminate()
        for thread in self._threads:
            thread.join()

    def answers(self) -> Iterator[Answer]:
        """What the workers say, until every order has finished or failed."""
        ended = 0
        while ended < self._count:
            answer = self._answers.get()
            ended += answer.kind in ("finished", "failed")
            yield answer

    def _serve(self) -> None:
        process: subprocess.Popen[str] | None = None
        while not self._orders.empty():
            try:
                order = self._orders.get_nowait()
            except queue.Empty:  # another thread was faster
                break
            if process is None or process.poll() is not None:
                try:
                    process = self._start()
                except OSError as error:
                    self._answers.put(Answer(order, "failed", _no_process(error)))
                    continue
            if process is None:
                return
            self._hand_over(process, order)
        if process is not None:
            with process:  # closes its input, which ends it, and waits
                pass

    def _start(self) -> subprocess.Popen[str] | None:
        """A new worker, unless all are to stop; Ctrl-C reaches the study only, which stops them."""
        with self._lock:
            if self._stopping:
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "latent_atlas.studies.cell"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment(),
                start_new_session=True,
            )
            self._processes.append(process)
            return process

    def _hand_over(self, process: subprocess.Popen[str], order: Order) -> None:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(f"{order.line()}\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended already; its output, which ends as well, says so below
        for line in process.stdout:
            kind, _, text = line.rstrip("\n").partition(" ")
            self._answers.put(Answer(order, kind, text))
            if kind in ("finished", "failed"):
                return
        status = process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self._answers.put(
            Answer(order, "failed", f"its process ended by {how}; run the study again to go on")
        )


def _no_process(error: OSError) -> str:
    reason = error.strerror or error
    return f"no process could be started ({reason}); free memory or lower --jobs, and run it again"
