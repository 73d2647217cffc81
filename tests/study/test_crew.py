"""The bar of all cells: work that was done earlier counts, but not as speed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stages.lib.console import Progress
from stages.lib.ingested import environment


@pytest.fixture
def heard() -> Iterator[list[tuple[str, int]]]:
    """What a listener hears while the test runs."""
    told: list[tuple[str, int]] = []

    def listen(what: str, units: int) -> None:
        told.append((what, units))

    Progress.listener = listen
    yield told
    Progress.listener = None


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
    monkeypatch.setattr("stages.lib.console.time.monotonic", lambda: next(clock))
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
