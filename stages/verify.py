"""`python -m stages.verify`: is the last commit's result what its code gives?

Reproduces HEAD in a temporary clone and compares with what HEAD recorded: outputs under data/ bit
by bit, metrics within the tolerances of params.yaml. With `--twice`, two clones run the same DAG
and every output must have the same hash; `--overlay FILE` changes parameters, for a small run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.config.schema import Tolerance
from latent_atlas.metrics.tolerance import Change, flatten, judge
from latent_atlas.util.clone import clone, outputs, reproduce
from latent_atlas.util.console import UserError, run_command, say

_ELSEWHERE = (
    "what is trained ends elsewhere on another kind of processor or with another number of threads "
    "than the commit's: there, `dvc repro` both commits and compare these"
)


def main() -> None:
    """Clone, reproduce, compare."""
    parser = argparse.ArgumentParser(prog="python -m stages.verify", description=__doc__)
    parser.add_argument("--overlay", type=Path, help="YAML to lay over params.yaml")
    parser.add_argument("--twice", action="store_true", help="compare two reproductions")
    arguments = parser.parse_args()
    if arguments.overlay is not None and not arguments.twice:
        raise UserError(
            "--overlay needs --twice: the commit recorded no results of other parameters"
        )
    with tempfile.TemporaryDirectory(prefix="latent-atlas-verify-") as scratch:
        if arguments.twice:
            _twice(Path(), Path(scratch), arguments.overlay)
        else:
            _against_commit(Path(), Path(scratch) / "clone")


def _twice(repository: Path, scratch: Path, overlay: Path | None) -> None:
    found = []
    for name in ("first", "second"):
        say(f"verify: {name} reproduction")
        clone(repository, scratch / name, overlay)
        reproduce(scratch / name, repository)
        found.append(outputs(scratch / name))
    first, second = found
    different = sorted(path for path in first | second if first.get(path) != second.get(path))
    if different:
        raise UserError(
            f"two reproductions differ in {len(different)} of {len(first)} outputs: "
            + ", ".join(different)
        )
    print(f"verify: two reproductions, all {len(first)} outputs bit-equal")


def _against_commit(repository: Path, folder: Path) -> None:
    clone(repository, folder, None)
    recorded = outputs(folder)
    if not recorded:
        raise UserError(
            "HEAD has no dvc.lock, so it recorded nothing; commit one after `dvc repro`"
        )
    gate = reading.load(folder / reading.PARAMS).gate
    before = _metrics(folder)
    reproduce(folder, repository)
    made = outputs(folder)
    equal = {path for path in recorded if made.get(path) == recorded[path]}
    for top in sorted({path.split("/")[0] for path in recorded}):
        paths = [path for path in recorded if path.split("/")[0] == top]
        print(f"verify: {top}/: {sum(p in equal for p in paths)} of {len(paths)} bit-equal")
    after = _metrics(folder)
    changes = _changes(before, after, gate)
    for change in changes:
        print(change.line())
    _complain(
        sorted(path for path in recorded if path.startswith("data/") and path not in equal),
        [change for change in changes if change.verdict != "same"],
        sorted(set(after) - set(before)),
    )
    print(f"verify: data bit-equal, {len(before)} metrics within their tolerances")


def _metrics(folder: Path) -> dict[str, float]:
    """All numbers under ``metrics/``, as ``run.metric``."""
    values: dict[str, float] = {}
    for path in sorted((folder / "metrics").glob("*.json")):
        values |= flatten(json.loads(path.read_text(encoding="utf-8")))
    return values


def _changes(
    before: dict[str, float], after: dict[str, float], gate: Mapping[str, Tolerance]
) -> list[Change]:
    return [
        judge(metric, value, after.get(metric), gate)
        for metric, value in before.items()
        if after.get(metric) != value
    ]


def _complain(data: list[str], changes: list[Change], unknown: list[str]) -> None:
    """A reproduction has to agree: better than recorded is as wrong as worse, or as not recorded.

    Args:
        data: paths that differ.
        changes: beyond their tolerance.
        unknown: metrics that the commit does not have.
    """
    if data:
        raise UserError(f"data differ from the commit's: {', '.join(data)}; {_ELSEWHERE}")
    if changes:
        names = ", ".join(change.metric for change in changes)
        raise UserError(f"{len(changes)} metrics beyond their tolerance: {names}; {_ELSEWHERE}")
    if unknown:
        raise UserError(
            f"{len(unknown)} metrics that the commit did not record: {', '.join(unknown)}; "
            "commit metrics/ after `dvc repro`"
        )


if __name__ == "__main__":
    run_command(main)
