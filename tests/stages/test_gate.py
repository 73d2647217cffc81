"""The gate over the answer of `dvc metrics diff --json`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from latent_atlas.config.schema import Tolerance
from latent_atlas.util.console import UserError
from stages.gate import judge_all, main

GATE = {"loss": Tolerance(better="lower", relative=0.01)}

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """``ask(answer, …)``: what the door asks DVC, which answers so; further words are its own."""

    def through_the_door(answer: Any, *words: str, code: int = 0, warned: str = "") -> list[str]:
        asked: list[list[str]] = []

        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            asked.append(command)
            out, err = (json.dumps(answer), warned) if code == 0 else ("", answer)
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", run)
        monkeypatch.setattr(sys, "argv", ["gate", *words])
        main()
        return asked[0][asked[0].index("diff") :]

    return through_the_door


def one(**values: float) -> dict[str, dict[str, dict[str, float]]]:
    """The answer of DVC about one metric, ``run.psnr``, of which more is better."""
    return {"metrics/run.json": {"run.psnr": values}}


def test_the_door_passes_what_is_no_worse(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(one(old=20.0, new=30.0)) == ["diff", "--json", "HEAD"]
    assert capsys.readouterr().out.splitlines() == [
        "better   run.psnr: 20 → 30",
        "1 changed metrics, none worse beyond its tolerance",
    ]
    assert ask({}, "main", "trial") == ["diff", "--json", "main", "trial"]


@pytest.mark.parametrize("values", [{"old": 30.0, "new": 20.0}, {"old": 30.0}])
def test_the_door_fails_for_what_is_worse_or_missing(ask: Ask, values: dict[str, float]) -> None:
    with pytest.raises(UserError, match="1 of 1 changed metrics worse or missing"):
        ask(one(**values))


def test_the_door_tells_what_dvc_complains_of(ask: Ask) -> None:
    with pytest.raises(UserError, match="dvc metrics diff failed: ERROR: unknown Git revision 'x'"):
        ask("a warning\nERROR: unknown Git revision 'x'\n", "x", code=255)


def test_metrics_that_dvc_could_not_read_are_no_new_ones(ask: Ask) -> None:
    said = "DVC failed to load some metrics for following revisions:\n'HEAD'.\n"
    with pytest.raises(UserError, match=r"failed to load some metrics .* 'HEAD'\."):
        ask(one(new=1.0), warned=said)


def test_every_file_and_metric_is_judged() -> None:
    difference = {
        "metrics/a.json": {"a.loss": {"old": 1.0, "new": 2.0, "diff": 1.0}},
        "metrics/b.json": {
            "b.loss": {"old": 2.0, "new": 1.0, "diff": -1.0},
            "c.loss": {"old": 1.0},
        },
        "metrics/new.json": {"d.loss": {"new": 1.0}},
    }
    verdicts = {change.metric: change.verdict for change in judge_all(difference, GATE)}
    assert verdicts == {
        "a.loss": "worse",
        "b.loss": "better",
        "c.loss": "missing",
        "d.loss": "new",
    }


def test_no_difference_is_no_change() -> None:
    assert judge_all({}, GATE) == []


def test_a_change_reads_as_a_line() -> None:
    (change,) = judge_all({"m": {"a.loss": {"old": 1.0, "new": 2.0}}}, GATE)
    assert change.line() == "worse    a.loss: 1 → 2"


def test_the_order_is_always_the_same() -> None:
    def change() -> dict[str, float]:
        return {"old": 1.0, "new": 2.0}

    difference = {
        "metrics/b.json": {"c.loss": change(), "b.loss": change()},
        "metrics/a.json": {"a.loss": change()},
    }
    told = [change.metric for change in judge_all(difference, GATE)]
    assert told == ["a.loss", "b.loss", "c.loss"]
