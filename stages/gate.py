"""`python -m stages.gate [old [new]]`: fail if a metric became worse beyond its tolerance.

Compares the metrics of two commits, or of a commit (default HEAD) and the workspace, as
`dvc metrics diff` sees them; directions and tolerances are the section `gate` of params.yaml.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping

from latent_atlas.config import reading
from latent_atlas.config.schema import Tolerance
from latent_atlas.metrics.tolerance import Change, judge
from latent_atlas.util.console import UserError, run_command


def main() -> None:
    """Ask DVC for the difference, judge it, print it."""
    parser = argparse.ArgumentParser(prog="python -m stages.gate", description=__doc__)
    parser.add_argument("old", nargs="?", default="HEAD", help="a commit, branch or experiment")
    parser.add_argument("new", nargs="?", help="another one (default: the workspace)")
    arguments = parser.parse_args()
    revisions = [arguments.old, *([arguments.new] if arguments.new else [])]
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json", *revisions]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        problem = answer.stderr.strip().splitlines()
        raise UserError(f"dvc metrics diff failed: {problem[-1] if problem else 'no message'}")
    if "failed to load" in answer.stderr:  # DVC compares what it could read, and calls that success
        raise UserError(f"dvc metrics diff: {' '.join(answer.stderr.split())}")
    changes = judge_all(json.loads(answer.stdout), reading.load().gate)
    for change in changes:
        print(change.line())
    bad = [change for change in changes if change.verdict in ("worse", "missing")]
    if bad:
        raise UserError(f"{len(bad)} of {len(changes)} changed metrics worse or missing")
    print(f"{len(changes)} changed metrics, none worse beyond its tolerance")


def judge_all(
    difference: Mapping[str, Mapping[str, Mapping[str, float]]], gate: Mapping[str, Tolerance]
) -> list[Change]:
    """Judge the parsed output of ``dvc metrics diff --json``: path → metric → old, new.

    The order is that of paths and of metrics, since DVC's is another one each time.
    """
    return [
        judge(metric, values.get("old"), values.get("new"), gate)
        for _, metrics in sorted(difference.items())
        for metric, values in sorted(metrics.items())
    ]


if __name__ == "__main__":
    run_command(main)
