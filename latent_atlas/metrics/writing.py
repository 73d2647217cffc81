"""Metric files: the headline metrics as JSON, and all values as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from latent_atlas.metrics.tolerance import Metric, first_match
from latent_atlas.util.files import write_bytes, write_json

COLUMNS = ("run", "metric", "value", "low", "high")
"""The columns of ``metrics.csv``."""

Values = Mapping[str, Mapping[str, float]]


def write_metrics(
    name: str, values: Values, definitions: Iterable[Mapping[str, Metric]], digits: int = 4
) -> None:
    """Write the headline metrics to ``metrics/<name>.json``, all to ``plots/<name>/metrics.csv``.

    Numbers that are not finite are left out of the JSON, which has none; the table has them.

    Args:
        name: of the stage or run.
        values: row → metric → value. Where `values` has ``m_low`` and ``m_high`` beside a metric
            ``m``, they are its interval.
        definitions: the ``METRICS`` of the modules whose headline metrics the stage reports.
        digits: significant digits of each float; integers are written as they are.
    """
    merged = {pattern: one for metrics in definitions for pattern, one in metrics.items()}
    headline: dict[str, dict[str, float]] = {}
    for row, metrics in values.items():
        for metric, value in metrics.items():
            definition = first_match(metric, merged)
            if definition is not None and definition.headline and math.isfinite(value):
                headline.setdefault(row, {})[metric] = _rounded(value, digits)
    write_json(Path("metrics") / f"{name}.json", headline)
    write_bytes(Path("plots") / name / "metrics.csv", _table(values, digits).encode())


def _table(values: Values, digits: int) -> str:
    """All values as CSV: a line per row and metric, with the ends of its interval if it has one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, metrics in values.items():
        bounds = {name: (f"{name}_low", f"{name}_high") for name in metrics}
        intervals = {name: ends for name, ends in bounds.items() if metrics.keys() >= {*ends}}
        ends = {end for interval in intervals.values() for end in interval}
        for name in metrics:
            if name not in ends:
                shown = [metrics[key] for key in (name, *intervals.get(name, ()))]
                cells = [str(_rounded(value, digits)) for value in shown]
                writer.writerow([row, name, *cells, *[""] * (3 - len(cells))])
    return text.getvalue()


def _rounded(value: float, digits: int) -> float:
    return value if isinstance(value, int) else float(f"{value:.{digits}g}")
