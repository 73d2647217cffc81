"""Worker processes: their environment, their progress, and processes that cannot start."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from latent_atlas.studies import grid, plan, workers
from latent_atlas.studies.cell import CellJob
from latent_atlas.util.console import Progress
from tests.studies.conftest import TINY


def jobs(folder: Path, count: int) -> list[CellJob]:
    """Jobs of 10 images each, without images."""
    study = plan.Study.model_validate(TINY, context={"scale": "sample"})
    cells = grid.cells_of(study)[:count]
    return [CellJob(cell.run, 10, folder, folder / cell.run.name, "", 0.01, 10) for cell in cells]


def test_a_reporter_counts_skipped_and_done_units() -> None:
    counts = [0, 0]
    reporter = workers.ProgressReporter(counts)
    reporter("skipped", 7)
    for _ in range(100):
        reporter("done", 5)
    assert counts == [7, 500]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The calls of a progress bar."""
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(Progress, "advance", lambda _, units: calls.append(("done", units)))
    monkeypatch.setattr(Progress, "skip", lambda _, units: calls.append(("skipped", units)))
    return calls


def test_the_rest_of_a_cell_that_has_ended_is_skipped(
    counted: list[tuple[str, int]], tmp_path: Path
) -> None:
    with Progress("study", 10, "images") as progress, ExitStack() as stack:
        worker = workers.Worker(stack)
        (worker.job,) = jobs(tmp_path, 1)
        worker._counts[:] = (2, 3)
        worker.show(progress, ended=False)
        worker._counts[:] = (2, 5)
        worker.show(progress, ended=True)
    assert counted == [("skipped", 2), ("done", 3), ("skipped", 3), ("done", 2)]


def test_a_process_that_starts_meanwhile_has_one_thread_and_no_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with workers._worker_environment():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert os.environ["OMP_NUM_THREADS"] == "8"
    assert "MKL_NUM_THREADS" not in os.environ
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


@pytest.mark.timeout(60)
def test_a_process_that_cannot_start_is_a_failed_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", refuse)
    waiting = jobs(tmp_path, 3)
    failures = workers.finish_cells("study", waiting, 2)
    assert sorted(failures) == sorted(job.run.name for job in waiting)
    assert all(
        reason.startswith("no process could be started (Cannot allocate memory); ")
        for reason in failures.values()
    )


def finish(waiting: Sequence[CellJob]) -> dict[str, str]:
    return workers.finish_cells("study", waiting, 1)


@pytest.mark.timeout(120)
def test_a_worker_goes_on_after_a_failed_cell_and_ends_with_the_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = jobs(tmp_path, 2)
    failures = finish(waiting)
    assert sorted(failures) == sorted(job.run.name for job in waiting)
    assert all("images.npy" in reason or str(tmp_path) in reason for reason in failures.values())
    assert capsys.readouterr().err.count(" failed: ") == 2
    assert not worker_processes(os.getpid())


def worker_processes(pid: int) -> list[psutil.Process]:
    """The worker processes of a study, without multiprocessing's own helper."""
    return [
        child
        for child in psutil.Process(pid).children()
        if any("spawn_main" in part for part in child.cmdline())
    ]
