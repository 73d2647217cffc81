"""Parallel work: order, bounded memory, errors, ended workers, and closed generators."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from latent_atlas.util import parallel
from latent_atlas.util.console import UserError
from latent_atlas.util.parallel import blocks, cores, in_order

ROOT = Path(__file__).parents[2]


def later_is_faster(number: int) -> int:
    time.sleep((9 - number) / 100)
    return number


def slow_if_even(number: int) -> int:
    if number % 2 == 0:
        time.sleep(0.01)
    return number * number


def reciprocal(number: int) -> float:
    return 1 / number


def process_id(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def process_id_then_wait(number: int) -> int:
    if number > 1:
        time.sleep(60)
    return process_id(number)


def end_third(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_blocks_are_lists_of_a_size() -> None:
    assert list(blocks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(blocks([], 3)) == []


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("jobs", [1, 3])
def test_results_have_the_order_of_the_items(jobs: int, threads: bool) -> None:
    items = (number for number in range(10))
    assert list(in_order(later_is_faster, items, jobs=jobs, threads=threads)) == list(range(10))


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_exception_of_an_item_propagates(jobs: int, threads: bool) -> None:
    results = in_order(reciprocal, range(1, -4, -1), jobs=jobs, threads=threads)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_one_job_runs_in_the_calling_thread() -> None:
    threads = in_order(lambda _: threading.get_ident(), range(3), jobs=1)
    assert set(threads) == {threading.get_ident()}


def test_jobs_are_other_processes_and_threads_are_in_this_one() -> None:
    assert os.getpid() not in set(in_order(process_id, range(4), jobs=2))
    assert set(in_order(process_id, range(4), jobs=2, threads=True)) == {os.getpid()}


def test_threads_run_functions_that_cannot_be_pickled() -> None:
    lock = threading.Lock()

    def thread(_: int) -> int:
        with lock:
            return threading.get_ident()

    assert threading.get_ident() not in set(in_order(thread, range(8), jobs=2, threads=True))


def test_all_cores_are_used_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert set(in_order(process_id, range(2))) == {os.getpid()}
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    assert os.getpid() not in set(in_order(process_id, range(2)))


@pytest.mark.parametrize("threads", [False, True])
def test_items_are_read_only_two_per_job_ahead(threads: bool) -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield number

    results = in_order(slow_if_even, items(), jobs=2, threads=threads)
    for _ in range(5):
        next(results)
    time.sleep(0.3)  # the workers finish everything that they have
    assert read <= 5 + 2 * 2
    results.close()


def test_an_ended_worker_process_is_a_user_error() -> None:
    with pytest.raises(UserError, match="ended a worker process, probably because memory ran out"):
        list(in_order(end_third, range(20), jobs=2))
    assert list(in_order(abs, range(4), jobs=2)) == [0, 1, 2, 3]  # the next pool works


def test_closing_the_generator_ends_the_workers() -> None:
    results = in_order(process_id_then_wait, range(6), jobs=2)
    workers = [next(results), next(results)]
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 20
    assert not any(psutil.pid_exists(worker) for worker in workers)


def test_an_interrupt_does_not_reach_the_workers() -> None:
    code = (
        "import os, signal, time\n"
        "from latent_atlas.util.parallel import in_order\n"
        "def interrupt(number):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.1)\n"
        "    return number\n"
        "if __name__ == '__main__':\n"
        "    print(list(in_order(interrupt, range(3), jobs=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0, 1, 2]\n", "")


def test_workers_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, time\n"
        "from latent_atlas.util.parallel import in_order\n"
        "if __name__ == '__main__':\n"
        "    results = in_order(time.sleep, [0.01] * 100_000, jobs=2)\n"
        "    next(results)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    # A surviving worker would keep the pipe open, and `run` would wait for it.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -9, done.stderr
