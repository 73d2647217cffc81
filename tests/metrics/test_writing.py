"""Metric files: headline metrics, intervals, rounding, and values without a number in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latent_atlas.metrics.tolerance import Metric
from latent_atlas.metrics.writing import write_metrics

NAN, INF = float("nan"), float("inf")
DEFINITIONS = (
    {"a": Metric("lower", 0.1, headline=True), "a_*": Metric("lower", 0.1)},
    {"b": Metric("higher", 0.1, headline=True), "n": Metric("higher", 0.1, headline=True)},
)


def written(values: dict[str, dict[str, float]], digits: int = 4) -> tuple[object, list[str]]:
    write_metrics("stage", values, DEFINITIONS, digits)
    table = Path("plots/stage/metrics.csv").read_text()
    return json.loads(Path("metrics/stage.json").read_text()), table.splitlines()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_json_has_the_headline_metrics_and_the_table_has_all() -> None:
    values = {
        "run": {"other": 2.0, "a": 0.123456, "a_low": 0.1, "a_high": 0.2, "a_p": 0.5},
        "second": {"other": 1.0},
    }
    headline, table = written(values)
    assert headline == {"run": {"a": 0.1235}}
    assert table == [
        "run,metric,value,low,high",
        "run,other,2.0,,",
        "run,a,0.1235,0.1,0.2",
        "run,a_p,0.5,,",
        "second,other,1.0,,",
    ]
    assert written(values, digits=5)[0] == {"run": {"a": 0.12346}}


def test_an_end_without_its_metric_is_a_metric_of_its_own() -> None:
    assert written({"run": {"c_low": 0.5, "d": 1.0, "d_high": 2.0}})[1][1:] == [
        "run,c_low,0.5,,",
        "run,d,1.0,,",
        "run,d_high,2.0,,",
    ]


def test_numbers_that_are_not_finite_are_in_the_table_only() -> None:
    headline, table = written({"run": {"a": NAN, "b": INF, "n": 1.0}})
    assert headline == {"run": {"n": 1.0}}
    assert table[1:] == ["run,a,nan,,", "run,b,inf,,", "run,n,1.0,,"]


def test_counts_are_exact() -> None:
    headline, table = written({"run": {"n": 1234567}})
    assert headline == {"run": {"n": 1234567}}
    assert table[1:] == ["run,n,1234567,,"]
