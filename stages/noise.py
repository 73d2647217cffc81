"""`python -m stages.noise [run …]`: noise of the metrics of trained runs, written to noise.csv.

Every run is trained and measured with several training seeds, on the same data and splits. Work
is kept in .cache/noise and continued from there. `python -m stages.gate` reads the table.
"""

from __future__ import annotations

import argparse

from latent_atlas.config import reading
from latent_atlas.metrics.noise import MIN_SEEDS, NOISE, read_noise, write_noise
from latent_atlas.report.noise import FOLDER, measure_noise
from latent_atlas.util.console import UserError, run_command, say
from latent_atlas.util.locks import exclusive_lock


def main() -> None:
    """Train and measure, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m stages.noise", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="run", help="names of runs (default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="number of training seeds")
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    arguments = parser.parse_args()
    for name, least in (("seeds", MIN_SEEDS), ("jobs", 1)):
        if (found := getattr(arguments, name)) < least:
            raise UserError(f"--{name}: found {found}, expected at least {least}")
    values = reading.read(reading.PARAMS)
    params = reading.validate(values, str(reading.PARAMS))
    with exclusive_lock(FOLDER / "lock", "another `make noise` is running"):
        # Rows of other runs are kept; without a choice, rows of runs that are gone are dropped.
        table = read_noise(NOISE) if arguments.runs else {}
        measured, failures = measure_noise(
            params, values, arguments.runs, arguments.seeds, arguments.jobs
        )
        table |= {noise.key: noise for noise in measured}
        if measured:
            write_noise(NOISE, table.values())
            say(f"{NOISE}: {len(measured)} metrics measured, {len(table)} in all")
    if failures:
        raise UserError(f"{len(failures)} commands failed, the first one: {failures[0]}")


if __name__ == "__main__":
    run_command(main)
