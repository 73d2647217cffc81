"""`python -m stages.verify`: compare the last commit with a reproduction in a temporary clone.

Outputs under data/ are compared bit by bit, metrics within their tolerances. With `--twice`, two
clones run the same DAG, and every output must have the same hash; `--overlay FILE` changes
parameters, for a small run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from latent_atlas.report.verification import verify_commit, verify_twice
from latent_atlas.util.console import UserError, run_command


def main() -> None:
    """Clone, reproduce and compare."""
    parser = argparse.ArgumentParser(prog="python -m stages.verify", description=__doc__)
    parser.add_argument("--overlay", type=Path, help="YAML to merge into params.yaml")
    parser.add_argument("--twice", action="store_true", help="compare two reproductions")
    arguments = parser.parse_args()
    if arguments.overlay is not None and not arguments.twice:
        raise UserError(
            "--overlay needs --twice: the commit recorded no results of other parameters"
        )
    with tempfile.TemporaryDirectory(prefix="latent-atlas-verify-") as scratch:
        if arguments.twice:
            verify_twice(Path(), Path(scratch), arguments.overlay)
        else:
            verify_commit(Path(), Path(scratch) / "clone")


if __name__ == "__main__":
    run_command(main)
