"""Metric files: run → metric → number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from latent_atlas.util.files import write_json


def write_metrics(path: Path, values: Mapping[str, Mapping[str, float]], digits: int = 4) -> None:
    """Write row → metric → value to a JSON file.

    Args:
        path: of the file.
        values: numbers that are not finite are left out: JSON has none.
        digits: significant digits of each number.
    """
    rounded = {
        row: {
            metric: float(f"{value:.{digits}g}")
            for metric, value in metrics.items()
            if math.isfinite(value)
        }
        for row, metrics in values.items()
    }
    write_json(path, rounded)
