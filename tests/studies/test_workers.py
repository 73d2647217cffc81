"""The workers, and the bar of all cells: earlier work counts, but not as speed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from latent_atlas.data.sources.ingested import environment
from latent_atlas.studies import plan
from latent_atlas.studies.cell import Order
from latent_atlas.studies.workers import carry_out
from latent_atlas.util.console import Progress
from tests.studies.conftest import TINY


@pytest.fixture
def heard() -> Iterator[list[tuple[str, int]]]:
    """What a listener hears while the test runs."""
    told: list[tuple[str, int]] = []

    def listen(what: str, units: int) -> None:
        told.append((what, units))

    Progress.callback = listen
    yield told
    Progress.callback = None


def test_a_listener_hears_all_and_nothing_is_shown(
    heard: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("train", 10, "images", start=4) as progress:
        progress.advance(5)
        progress.advance()
    assert heard == [("skipped", 4), ("done", 5), ("done", 1)]
    assert capsys.readouterr().err == ""


def test_what_is_skipped_is_done_but_takes_no_part_in_the_rate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 2.0, 2.0, 2.0])
    monkeypatch.setattr("latent_atlas.util.console.time.monotonic", lambda: next(clock))
    with Progress("study", 100, "images", start=10) as progress:
        progress.skip(70)
        progress.advance(20)
    assert capsys.readouterr().err == "study: 100/100 images, 10.0 images/s, 2 s\n"


def test_a_worker_has_one_thread_and_this_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    values = environment()
    assert values["OMP_NUM_THREADS"] == values["MKL_NUM_THREADS"] == "1"
    assert values["PYTHONPATH"].endswith(":elsewhere")


@pytest.mark.timeout(60)  # a study that waits for ever is a failed test and no endless one
def test_a_worker_that_cannot_be_started_is_a_failed_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    cells = plan.cells(plan.Study.model_validate(TINY), "small")[:2]
    orders = [Order(cell.run, tmp_path, tmp_path / cell.run.name, "", 0.01, 10) for cell in cells]
    work = dict.fromkeys((order.run.name for order in orders), 10)
    failures = carry_out("study", orders, work, 2)
    assert list(failures) == list(work)
    assert all(
        reason.startswith("no process could be started (Cannot allocate memory); ")
        for reason in failures.values()
    )
