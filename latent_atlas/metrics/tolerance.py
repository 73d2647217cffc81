"""Judge a metric that changed: within its tolerance, better, or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Literal

from latent_atlas.config.schema import Tolerance
from latent_atlas.util.console import UserError

Verdict = Literal["same", "better", "worse", "new", "missing"]


@dataclass(frozen=True)
class Change:
    """A metric before and after; None where it is missing."""

    metric: str
    old: float | None
    new: float | None
    verdict: Verdict

    def line(self) -> str:
        """The change as a line of a table."""
        old = "–" if self.old is None else f"{self.old:.5g}"
        new = "–" if self.new is None else f"{self.new:.5g}"
        return f"{self.verdict:8} {self.metric}: {old} → {new}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested metrics as ``{"run.metric": number}``."""
    flat: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = float(value)
    return flat


def judge(
    metric: str, old: float | None, new: float | None, gate: Mapping[str, Tolerance]
) -> Change:
    """Compare two values of `metric` (``run.metric``) under the first pattern that fits it.

    A change within ``relative`` of the old value is noise. A metric that appears is new; one that
    disappears is missing; not-a-number is always worse, and a number in its place better.

    Raises:
        UserError: if no pattern of `gate` fits the metric.
    """
    name = metric.rpartition(".")[2]
    tolerance = next((value for pattern, value in gate.items() if fnmatch(name, pattern)), None)
    if tolerance is None:
        raise UserError(
            f"gate: no pattern in params.yaml fits the metric {name!r}; add one with its "
            "direction and tolerance"
        )
    return Change(metric, old, new, _verdict(old, new, tolerance))


def _verdict(old: float | None, new: float | None, tolerance: Tolerance) -> Verdict:
    if new is None:
        return "missing"
    if not math.isfinite(new):
        return "worse"
    if old is None:
        return "new"
    if not math.isfinite(old):
        return "better"
    if abs(new - old) <= tolerance.relative * abs(old):
        return "same"
    if tolerance.better == "either":
        return "worse"
    return "better" if (new < old) == (tolerance.better == "lower") else "worse"
