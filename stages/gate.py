"""`python -m stages.gate [old [new]]`: fail if a metric became worse beyond its tolerance.

Compares the metrics of two commits, or of a commit (default HEAD) and the workspace, as given by
`dvc metrics diff`. Direction and tolerance of a metric are declared in the module that computes
it; the section `gate` of params.yaml overrides them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping

from latent_atlas.config import reading
from latent_atlas.config.schema import MetricOverride
from latent_atlas.metrics.tolerance import Change, compare
from latent_atlas.util.console import UserError, run_command


def main() -> None:
    """Read the difference from DVC, classify every change, and print it."""
    parser = argparse.ArgumentParser(prog="python -m stages.gate", description=__doc__)
    parser.add_argument("old", nargs="?", default="HEAD", help="a commit, branch or experiment")
    parser.add_argument("new", nargs="?", help="another one (default: the workspace)")
    arguments = parser.parse_args()
    revisions = [arguments.old, *([arguments.new] if arguments.new else [])]
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json", *revisions]
    diff = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if diff.returncode:
        lines = diff.stderr.strip().splitlines()
        raise UserError(f"dvc metrics diff failed: {lines[-1] if lines else 'no message'}")
    if "failed to load" in diff.stderr:  # DVC then compares the rest and exits with status 0
        raise UserError(f"dvc metrics diff: {' '.join(diff.stderr.split())}")
    changes = compare_all(json.loads(diff.stdout), reading.load().gate)
    for change in changes:
        print(change.line())
    bad = [change for change in changes if change.verdict in ("worse", "missing")]
    if bad:
        raise UserError(f"{len(bad)} of {len(changes)} changed metrics worse or missing")
    print(f"{len(changes)} changed metrics, none worse beyond its tolerance")


def compare_all(
    difference: Mapping[str, Mapping[str, Mapping[str, float]]],
    overrides: Mapping[str, MetricOverride],
) -> list[Change]:
    """Compare the metrics in the parsed output of ``dvc metrics diff --json``.

    Args:
        difference: path → metric → ``old`` and ``new``.
        overrides: the section ``gate`` of params.yaml.

    Returns:
        Sorted by path and metric, since the order of DVC differs between calls.
    """
    return [
        compare(metric, values.get("old"), values.get("new"), overrides)
        for _, metrics in sorted(difference.items())
        for metric, values in sorted(metrics.items())
    ]


if __name__ == "__main__":
    run_command(main)
