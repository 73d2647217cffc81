"""The gate over the answer of `dvc metrics diff --json`."""

from __future__ import annotations

from stages.gate.__main__ import judge_all
from stages.lib.params import Tolerance

GATE = {"loss": Tolerance(better="lower", relative=0.01)}


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
        "d.loss": "same",
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
