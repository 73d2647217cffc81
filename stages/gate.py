"""`python -m stages.gate [old [new]]`: fail if a metric became worse beyond tolerance and noise.

Compares the metrics of two commits, or of a commit (default HEAD) and the workspace, as given by
`dvc metrics diff`. Direction and tolerance of a metric are declared in the module that computes
it; the section `gate` of params.yaml overrides them. The noise is that of noise.csv, which
`make noise` writes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence

from latent_atlas.config import reading
from latent_atlas.config.schema import MetricOverride, Params
from latent_atlas.metrics.noise import NOISE, Noise, other_digests, read_noise
from latent_atlas.metrics.tolerance import COLUMNS, DEVIATIONS, Change, compare
from latent_atlas.util.console import UserError, run_command

ORDER = ("missing", "worse", "changed", "better", "new", "same")
"""Verdicts in the order of the table."""


def main() -> None:
    """Read the difference from DVC and the noise, classify every change, and print it."""
    parser = argparse.ArgumentParser(prog="python -m stages.gate", description=__doc__)
    parser.add_argument("old", nargs="?", default="HEAD", help="a commit, branch or experiment")
    parser.add_argument("new", nargs="?", help="another one (default: the workspace)")
    parser.add_argument("--md", action="store_true", help="print Markdown")
    arguments = parser.parse_args()
    revisions = [arguments.old, *([arguments.new] if arguments.new else [])]
    noises = read_noise(NOISE)
    changes = compare_all(_difference(revisions), reading.load().gate, noises)
    if changes:
        print(markdown_table(changes) if arguments.md else text_table(changes))
        print()
    used = [noises[change.metric] for change in changes if change.metric in noises]
    for line in [*_state_of_noise(used, changes, arguments.old), summary(changes)]:
        print(line)
    bad = [change for change in changes if change.verdict in ("worse", "missing")]
    if bad:
        raise UserError(f"{len(bad)} of {len(changes)} changed metrics worse or missing")


def _difference(revisions: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """The output of ``dvc metrics diff --json``."""
    command = [sys.executable, "-m", "dvc", "metrics", "diff", "--json", *revisions]
    diff = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if diff.returncode:
        lines = diff.stderr.strip().splitlines()
        raise UserError(f"dvc metrics diff failed: {lines[-1] if lines else 'no message'}")
    if "failed to load" in diff.stderr:  # DVC then compares the rest and exits with status 0
        raise UserError(f"dvc metrics diff: {' '.join(diff.stderr.split())}")
    difference: dict[str, dict[str, dict[str, float]]] = json.loads(diff.stdout)
    return difference


def compare_all(
    difference: Mapping[str, Mapping[str, Mapping[str, float]]],
    overrides: Mapping[str, MetricOverride],
    noises: Mapping[str, Noise],
) -> list[Change]:
    """Compare the metrics in the parsed output of ``dvc metrics diff --json``.

    Args:
        difference: path → metric → ``old`` and ``new``.
        overrides: the section ``gate`` of params.yaml.
        noises: ``run.metric`` → noise.

    Returns:
        Sorted by verdict, see `ORDER`, then by path and metric, since the order of DVC differs
        between calls.
    """
    changes = [
        compare(
            metric,
            values.get("old"),
            values.get("new"),
            overrides,
            noises[metric].sd if metric in noises else None,
        )
        for _, metrics in sorted(difference.items())
        for metric, values in sorted(metrics.items())
    ]
    return sorted(changes, key=lambda change: ORDER.index(change.verdict))


def text_table(changes: Sequence[Change]) -> str:
    """The changes with aligned columns."""
    rows = [list(COLUMNS), *(change.cells() for change in changes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 2 <= place <= 6 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown_table(changes: Sequence[Change]) -> str:
    """The changes as a Markdown table."""
    rows = [COLUMNS, ("---", "---", *["---:"] * 5, "---"), *(change.cells() for change in changes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def summary(changes: Sequence[Change]) -> str:
    """The number of changes with each verdict, and the meaning of the columns."""
    if not changes:
        return "no metric changed"
    verdicts = [change.verdict for change in changes]
    counts = ", ".join(f"{verdicts.count(one)} {one}" for one in ORDER if one in verdicts)
    return (
        f"{len(changes)} changed metrics: {counts}. noise: standard deviation over training seeds; "
        "deviations: size of the difference / (√2 · noise), since both values are of one training; "
        f"more than {DEVIATIONS:g} are unlikely by chance"
    )


def _state_of_noise(used: Sequence[Noise], changes: Sequence[Change], old: str) -> list[str]:
    """A line for each reason not to trust the noise."""
    if not changes:
        return []
    if not NOISE.is_file():
        return [f"{NOISE}: missing, so tolerances alone decide; run `make noise`"]
    lines = []
    if unknown := len(changes) - len(used):
        lines.append(f"{NOISE}: no noise known for {unknown} metrics; their tolerance decides")
    if used:
        stale = f"{NOISE}: made for other code or parameters"
        try:
            others = other_digests(used, _params_of(old))
        except UserError as error:
            lines.append(f"{stale} ({error}); run `make noise`")
        else:
            if others:
                count = f"{len(others)} of {len(used)} metrics"
                lines.append(f"{stale} than {old} ({count}); run `make noise`")
    return lines


def _params_of(revision: str) -> Params:
    """The parameters of a commit, branch, tag or DVC experiment.

    Raises:
        UserError: if they cannot be found, or do not fit this code.
    """
    pattern = f"refs/exps/*/*/{revision}"  # an experiment's name is no revision for git
    names = _git("for-each-ref", "--format=%(refname)", pattern) or ""
    for name in [revision, *names.split()]:
        if (text := _git("show", f"{name}:{reading.PARAMS}")) is not None:
            where = f"{reading.PARAMS} of {revision}"
            return reading.validate(reading.parse(text, where), where)
    raise UserError(f"{reading.PARAMS} of {revision}: not found in git")


def _git(*arguments: str) -> str | None:
    """The output of a git command; None if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    run_command(main)
