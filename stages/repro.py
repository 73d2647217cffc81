"""`python -m stages.repro`: reproduce the DAG, with independent stages side by side.

The results are those of `dvc repro`, whatever the number of jobs.
"""

from __future__ import annotations

import argparse
import time

from latent_atlas.report.reproduction import reproduce, table
from latent_atlas.util.console import UserError, run_command
from latent_atlas.util.parallel import cores


def main() -> None:
    """Reproduce the targets, and print the seconds of each stage."""
    parser = argparse.ArgumentParser(prog="python -m stages.repro", description=__doc__)
    parser.add_argument("targets", nargs="*", help="stages; all of dvc.yaml by default")
    default = min(2, cores())
    parser.add_argument("--jobs", type=int, default=default, help="stages at the same time")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        raise UserError(f"--jobs: found {arguments.jobs}, expected a number of 1 or more")
    started = time.perf_counter()
    seconds = reproduce(arguments.targets, arguments.jobs)
    if seconds:
        whole, jobs = time.perf_counter() - started, arguments.jobs
        busy = sum(seconds.values())
        print(f"{len(seconds)} stages, {busy:.0f} s in {whole:.0f} s with {jobs} at a time:")
        print(table(seconds))


if __name__ == "__main__":
    run_command(main)
