"""Metric files: rounding, and values without a number in JSON."""

from __future__ import annotations

import json
from pathlib import Path

from latent_atlas.metrics.writing import write_metrics


def test_metrics_are_rounded_and_infinite_ones_left_out(tmp_path: Path) -> None:
    values = {"run": {"a": 0.123456, "b": float("nan"), "c": float("inf")}, "other": {}}
    write_metrics(tmp_path / "m.json", values)
    assert json.loads((tmp_path / "m.json").read_text()) == {"run": {"a": 0.1235}, "other": {}}
    write_metrics(tmp_path / "m.json", values, digits=5)
    assert json.loads((tmp_path / "m.json").read_text())["run"] == {"a": 0.12346}
