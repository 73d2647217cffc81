"""The noise command: its arguments, the merged table, and one whole run of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from latent_atlas.metrics.noise import NOISE, Noise, read_noise, write_noise
from latent_atlas.util.console import UserError
from stages import noise
from tests.conftest import ROOT, run_in

OLD = Noise("digits_vae", "psnr", 5, 14.0, 0.1, "a")
NEW = Noise("circles_vae", "psnr", 5, 27.0, 0.5, "b")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The choices of runs, seeds and jobs; each measures one metric of ``circles_vae``."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    chosen: list[tuple[Any, ...]] = []

    def measure(_: object, __: object, *choice: Any) -> tuple[list[Noise], list[str]]:
        chosen.append(choice)
        return [NEW], ["train digits_vae failed"] if "digits_vae" in choice[0] else []

    monkeypatch.setattr(noise, "measure_noise", measure)
    write_noise(NOISE, [OLD])
    return chosen


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["noise", *arguments])
    noise.main()


def test_a_choice_of_runs_keeps_the_other_rows(
    calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    call(monkeypatch, "circles_vae", "--seeds", "3")
    assert read_noise(NOISE) == {OLD.key: OLD, NEW.key: NEW}
    call(monkeypatch)
    assert read_noise(NOISE) == {NEW.key: NEW}
    assert calls == [(["circles_vae"], 3, 2), ([], 5, 2)]


def test_a_failed_command_is_an_error_after_the_table_is_written(
    calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="1 commands failed, the first one: train digits_vae"):
        call(monkeypatch, "digits_vae")
    assert NEW.key in read_noise(NOISE)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--seeds", "1"), "--seeds: found 1, expected at least 2"),
        (("--jobs", "0"), "--jobs: found 0, expected at least 1"),
    ],
)
def test_too_few_are_refused(
    arguments: tuple[str, ...],
    problem: str,
    calls: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match=problem):
        call(monkeypatch, *arguments)
    assert calls == []


@pytest.mark.slow
def test_a_table_of_two_trainings_and_nothing_to_do_afterwards(copied_repository: Path) -> None:
    python = ("python", "-m")
    run_in(copied_repository, *python, "stages.draw", "circles_mono")
    run_in(copied_repository, *python, "stages.noise", "circles_vae", "--seeds", "2")
    table = copied_repository / NOISE
    rows = read_noise(table)
    assert {row.run for row in rows.values()} == {"circles_vae"}
    loss = rows["circles_vae.valid_reconstruction"]
    assert (loss.seeds, loss.sd > 0) == (2, True)
    first = table.read_bytes()
    logs = list(copied_repository.glob(".cache/noise/*/logs/*"))
    times = [log.stat().st_mtime_ns for log in logs]
    assert len(logs) == 4
    run_in(copied_repository, *python, "stages.noise", "circles_vae", "--seeds", "2")
    assert table.read_bytes() == first
    assert [log.stat().st_mtime_ns for log in logs] == times
    status = run_in(copied_repository, "git", "status", "--short").stdout
    assert status == "?? noise.csv\n"
