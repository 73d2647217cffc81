"""The gate over the output of `dvc metrics diff --json`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from latent_atlas.util.console import UserError
from stages.gate import compare_all, main

Gate = Callable[..., list[str]]


@pytest.fixture
def run_gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """``run_gate(diff, …)`` runs the gate on this output of DVC and returns DVC's arguments."""

    def gate(diff: Any, *arguments: str, code: int = 0, warning: str = "") -> list[str]:
        commands: list[list[str]] = []

        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            commands.append(command)
            out, err = (json.dumps(diff), warning) if code == 0 else ("", diff)
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["gate", *arguments])
        main()
        return commands[0][commands[0].index("diff") :]

    return gate


def psnr(**values: float) -> dict[str, dict[str, dict[str, float]]]:
    """DVC's difference of one metric, ``run.psnr``, of which more is better."""
    return {"metrics/run.json": {"run.psnr": values}}


def test_an_improvement_passes(run_gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_gate(psnr(old=20.0, new=30.0)) == ["diff", "--json", "HEAD"]
    assert capsys.readouterr().out.splitlines() == [
        "better   run.psnr: 20 → 30",
        "1 changed metrics, none worse beyond its tolerance",
    ]
    assert run_gate({}, "main", "trial") == ["diff", "--json", "main", "trial"]


@pytest.mark.parametrize("values", [{"old": 30.0, "new": 20.0}, {"old": 30.0}])
def test_a_worse_or_missing_metric_fails(run_gate: Gate, values: dict[str, float]) -> None:
    with pytest.raises(UserError, match="1 of 1 changed metrics worse or missing"):
        run_gate(psnr(**values))


def test_an_error_of_dvc_is_reported(run_gate: Gate) -> None:
    with pytest.raises(UserError, match="dvc metrics diff failed: ERROR: unknown Git revision 'x'"):
        run_gate("a warning\nERROR: unknown Git revision 'x'\n", "x", code=255)


def test_metrics_that_dvc_could_not_read_are_not_new_ones(run_gate: Gate) -> None:
    warning = "DVC failed to load some metrics for following revisions:\n'HEAD'.\n"
    with pytest.raises(UserError, match=r"failed to load some metrics .* 'HEAD'\."):
        run_gate(psnr(new=1.0), warning=warning)


def test_every_file_and_metric_is_compared() -> None:
    difference = {
        "metrics/a.json": {"a.psnr": {"old": 2.0, "new": 1.0, "diff": -1.0}},
        "metrics/b.json": {
            "b.psnr": {"old": 1.0, "new": 2.0, "diff": 1.0},
            "c.psnr": {"old": 1.0},
        },
        "metrics/new.json": {"d.psnr": {"new": 1.0}},
    }
    verdicts = {change.metric: change.verdict for change in compare_all(difference, {})}
    assert verdicts == {
        "a.psnr": "worse",
        "b.psnr": "better",
        "c.psnr": "missing",
        "d.psnr": "new",
    }


def test_no_difference_is_no_change() -> None:
    assert compare_all({}, {}) == []


def test_a_change_as_a_line() -> None:
    (change,) = compare_all({"m": {"a.psnr": {"old": 2.0, "new": 1.0}}}, {})
    assert change.line() == "worse    a.psnr: 2 → 1"


def test_changes_are_sorted_by_file_and_metric() -> None:
    def change() -> dict[str, float]:
        return {"old": 1.0, "new": 2.0}

    difference = {
        "metrics/b.json": {"c.psnr": change(), "b.psnr": change()},
        "metrics/a.json": {"a.psnr": change()},
    }
    names = [change.metric for change in compare_all(difference, {})]
    assert names == ["a.psnr", "b.psnr", "c.psnr"]
