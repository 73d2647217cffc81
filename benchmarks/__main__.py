"""``python -m benchmarks``: speed of the parts, as ratios measured in this run.

Competitors alternate, so that other load on the machine affects all alike. A result is the median
of the rounds, with the minimum and the maximum. Absolute results hold for this machine only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import (
    drawings,
    ingestion,
    interpolation,
    machine,
    neighbours,
    time_to_loss,
    training,
    workspace,
)
from benchmarks.results import Result, table
from benchmarks.size import FULL, QUICK, Size
from latent_atlas.util.console import run_command
from latent_atlas.util.files import write_json

OUT = Path("bench.json")


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="rough results in a fraction of the time"
    )
    parser.add_argument(
        "--full", action="store_true", help="also the time to the published loss; some 20 minutes"
    )
    parser.add_argument("--json", action="store_true", help=f"also write all results to {OUT}")
    arguments = parser.parse_args()
    description = machine.describe()
    print(", ".join(f"{name} {value}" for name, value in description.items()), flush=True)
    results = measure_all(QUICK if arguments.quick else FULL, Path.cwd())
    if arguments.full:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            results += time_to_loss.measure_time_to_loss(Path(name))
    print(f"\n{table(results)}")
    if arguments.json:
        write_json(
            OUT, {"machine": description, "results": [result.values() for result in results]}
        )


def measure_all(size: Size, repository: Path) -> list[Result]:
    """All results, in the order of the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name).resolve()
        return [
            *training.measure_training(size, folder),
            *ingestion.measure_ingestion(size, folder),
            *drawings.measure_drawing(size),
            *neighbours.measure_neighbour_search(size),
            *interpolation.measure_interpolation(size),
            *workspace.measure_dvc(min(size.rounds, 3), size.experiments, repository),
        ]


if __name__ == "__main__":
    run_command(main)
