"""Medians, verdicts and the table."""

from __future__ import annotations

import pytest

from benchmarks.results import Result, Target, number, rates, ratio, table


def test_ratio_says_how_many_times_as_fast_we_are() -> None:
    assert ratio([1.0, 2.0], [2.0, 1.0]) == [2.0, 0.5]
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0], [1.0, 2.0])


def test_rates_are_medians_in_images_a_second() -> None:
    assert rates(100, [1.0, 2.0, 50.0], [4.0]) == "50 against 25 images/s"


def test_the_median_ignores_an_outlier() -> None:
    assert Result("a", "×", [1.0, 0.9, 100.0]).median == 1.0


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        (Target("at least", 0.97), 0.97, "met"),
        (Target("at least", 0.97), 0.96, "missed"),
        (Target("at most", 2), 2.0, "met"),
        (Target("at most", 2), 2.1, "missed"),
        (None, 1.0, ""),
    ],
)
def test_verdict(target: Target | None, value: float, verdict: str) -> None:
    assert Result("a", "×", [value], target).verdict == verdict


def test_the_table_has_every_figure_in_aligned_columns() -> None:
    results = [
        Result("fast", "×", [1.0, 3.0, 2.0], Target("at least", 1.5), "2 against 1 images/s"),
        Result("a longer name", "images/s", [12345.6]),
        Result("absent", "×", (), Target("at least", 1.6), "not installed"),
    ]
    head, *lines = table(results).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["fast", "a longer name", "absent"]
    assert "2.00 ×" in lines[0]
    assert "1.00–3.00" in lines[0]
    assert "≥ 1.50" in lines[0]
    assert "met" in lines[0]
    assert lines[0].endswith("2 against 1 images/s")
    assert "12,346 images/s" in lines[1]
    assert "–" in lines[2]
    assert "met" not in lines[2]
    assert lines[2].endswith("not installed")
    assert lines[0].index("2.00 ×") + len("2.00 ×") == head.index("median") + len("median")


@pytest.mark.parametrize(
    ("value", "text"), [(0.968, "0.97"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1,234")]
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


def test_values_keep_every_round() -> None:
    values = Result("a", "s", [3.0, 1.0], Target("at most", 2), "note").values()
    assert values == {
        "name": "a",
        "unit": "s",
        "median": 2.0,
        "rounds": [3.0, 1.0],
        "target": "≤ 2.00",
        "verdict": "met",
        "note": "note",
    }
