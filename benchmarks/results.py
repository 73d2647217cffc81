"""Results of a benchmark: medians over alternating rounds, and the printed table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Target:
    """Bound for a median."""

    kind: Literal["at least", "at most"]
    value: float

    def met(self, value: float) -> bool:
        """Whether `value` satisfies the bound."""
        return value >= self.value if self.kind == "at least" else value <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.kind == 'at least' else '≤'} {number(self.value)}"


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Attributes:
        name: the measured quantity and its competitor.
        unit: ``×`` for a ratio.
        rounds: the value in each round; empty if it could not be measured.
        target: the bound, where there is one.
        note: the absolute values behind a ratio, or the reason why there is no value.
    """

    name: str
    unit: str
    rounds: Sequence[float] = ()
    target: Target | None = None
    note: str = ""

    @property
    def median(self) -> float | None:
        """Median of the rounds; None if there are none."""
        return statistics.median(self.rounds) if self.rounds else None

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or nothing where there is no value or no target."""
        if self.median is None or self.target is None:
            return ""
        return "met" if self.target.met(self.median) else "missed"

    def row(self) -> list[str]:
        """The cells of its row: name, median, range, target, verdict, note."""
        target = str(self.target) if self.target else ""
        if self.median is None:
            return [self.name, "–", "", target, "", self.note]
        span = f"{number(min(self.rounds))}–{number(max(self.rounds))}"
        median = f"{number(self.median)} {self.unit}"
        return [self.name, median, span, target, self.verdict, self.note]

    def values(self) -> dict[str, Any]:
        """All attributes, for a JSON file."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "rounds": list(self.rounds),
            "target": str(self.target) if self.target else None,
            "verdict": self.verdict or None,
            "note": self.note,
        }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Our speed over theirs, round by round, from the seconds for the same work."""
    return [their / our for our, their in zip(ours, theirs, strict=True)]


def rates(units: float, ours: Sequence[float], theirs: Sequence[float]) -> str:
    """The note behind a ratio: both medians in images per second, from seconds for `units`."""
    ahead, behind = (units / statistics.median(seconds) for seconds in (ours, theirs))
    return f"{number(ahead)} against {number(behind)} images/s"


def table(results: Sequence[Result]) -> str:
    """The results as rows under a header, in aligned columns."""
    rows = [["", "median", "min–max", "target", "", ""], *(result.row() for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(
            # Name and note are text, the columns between them numbers.
            cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 10 else f"{value:.2f}"
