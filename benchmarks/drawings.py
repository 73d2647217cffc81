"""Images per second of the drawn data sets, each drawn on one core."""

from __future__ import annotations

import time

from benchmarks.results import Result, Target
from benchmarks.size import Size
from latent_atlas.data.synthetic.registry import DRAWINGS

SIZES = {
    "circles_mono": (96, 64),
    "circles_rgb": (96, 64),
    "garments": (64, 64),
    "brushwork": (64, 64),
    "scenes": (64, 64),
}
FAST = Target("at least", 2000)


def measure_drawing(size: Size) -> list[Result]:
    """The rate of each drawing, factors included."""
    rates: dict[str, list[float]] = {name: [] for name in SIZES}
    for _ in range(min(size.rounds, 9)):
        for name, (height, width) in SIZES.items():
            began = time.perf_counter()
            drawing = DRAWINGS[name]
            drawing.render(drawing.factors(size.drawn, 0), height, width)
            rates[name].append(size.drawn / (time.perf_counter() - began))
    return [
        Result(
            f"drawing, {name} {SIZES[name][0]}×{SIZES[name][1]}",
            "images/s",
            value,
            FAST if name.startswith("circles") else None,
            "a core",
        )
        for name, value in rates.items()
    ]
