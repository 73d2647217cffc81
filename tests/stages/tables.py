"""The table of all metrics that a stage writes."""

from __future__ import annotations

import csv
from pathlib import Path

from latent_atlas.metrics.tolerance import definitions_of


def read_metrics(folder: Path, name: str) -> dict[str, dict[str, float]]:
    """Row → metric → value of ``plots/<name>/metrics.csv`` below `folder`.

    Checks that every metric has a definition.
    """
    values: dict[str, dict[str, float]] = {}
    text = (folder / "plots" / name / "metrics.csv").read_text(encoding="utf-8")
    for line in csv.DictReader(text.splitlines()):
        assert len(list(definitions_of(line["metric"]))) == 1, line["metric"]
        values.setdefault(line["run"], {})[line["metric"]] = float(line["value"])
    return values
