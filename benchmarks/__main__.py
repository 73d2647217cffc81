"""``python -m benchmarks``: how fast the parts are, as ratios measured in this run.

Competitors take turns, so that another load on the machine falls on all alike; a figure is the
median of the rounds, with the lowest and the highest. Absolute figures hold for this machine only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import drawings, ingestion, interpolation, machine, neighbours, training, workspace
from benchmarks.figures import Figure, table
from benchmarks.size import FULL, QUICK, Size
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_json

OUT = Path("bench.json")


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a rough look in a fraction of the time"
    )
    parser.add_argument("--json", action="store_true", help=f"write everything to {OUT} too")
    asked = parser.parse_args()
    about = machine.describe()
    print(", ".join(f"{name} {value}" for name, value in about.items()), flush=True)
    figures = measure(QUICK if asked.quick else FULL, Path.cwd())
    print(f"\n{table(figures)}")
    if asked.json:
        write_json(OUT, {"machine": about, "figures": [one.values() for one in figures]})


def measure(size: Size, repository: Path) -> list[Figure]:
    """All figures, in the order of the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name).resolve()
        return [
            *training.measure(size, folder),
            *ingestion.measure(size, folder),
            *drawings.measure(size),
            *neighbours.measure(size),
            *interpolation.measure(size),
            *workspace.measure(min(size.rounds, 3), size.experiments, repository),
        ]


if __name__ == "__main__":
    run_command(main)
