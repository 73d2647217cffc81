"""Work by several processes: in order, bounded, and honest about failures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latent_atlas.data.sources.pool import blocks, cores, in_order
from latent_atlas.util.console import UserError


def _slow_if_even(number: int) -> int:
    if number % 2 == 0:
        time.sleep(0.01)
    return number * number


def _die(number: int) -> int:
    os._exit(number)


def _raise(number: int) -> int:
    raise ValueError(f"bad {number}")


def test_blocks() -> None:
    assert list(blocks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(blocks([], 3)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order(workers: int) -> None:
    expected = [(number, number * number) for number in range(20)]
    assert list(in_order(_slow_if_even, range(20), workers)) == expected


def test_no_more_is_taken_than_is_under_way() -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = in_order(_slow_if_even, source(), 2)
    for _ in range(5):
        next(results)
    assert taken <= 5 + 2 * 2
    results.close()  # type: ignore[attr-defined]


def test_a_worker_that_the_system_ends() -> None:
    with pytest.raises(UserError, match="a worker process was ended by the system"):
        list(in_order(_die, [9], 2))


def test_workers_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, time\n"
        "from latent_atlas.data.sources.pool import in_order\n"
        "if __name__ == '__main__':\n"
        "    results = in_order(time.sleep, [0.01] * 100_000, 2)\n"
        "    next(results)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[3]
    # A worker that lived on would hold the pipe open, and `run` would wait for it.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -9, done.stderr


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="bad 4"):
        list(in_order(_raise, [4], 2))


def test_cores() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
