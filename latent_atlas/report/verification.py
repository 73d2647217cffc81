"""Verification: the outputs of a commit against a reproduction in a temporary clone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from latent_atlas.config import reading
from latent_atlas.config.schema import MetricOverride
from latent_atlas.metrics.tolerance import Change, compare, flatten
from latent_atlas.report.clone import clone, outputs, reproduce
from latent_atlas.util.console import UserError, say

_OTHER_MACHINE = (
    "recorded results repeat in portable arithmetic on x86-64 with AVX2 and with the Python of "
    ".python-version; elsewhere run `dvc repro` for both commits and compare these results"
)


def verify_twice(repository: Path, scratch: Path, overlay: Path | None) -> None:
    """Reproduce HEAD twice below `scratch`, with `overlay` merged into params.yaml.

    Both reproductions run at the same time, one with `dvc repro`, the other with two stages at a
    time, so that neither the load nor the order of the stages may change a result.

    Raises:
        UserError: if any output has two hashes.
    """
    folders = [scratch / "serial", scratch / "parallel"]
    for folder in folders:
        clone(repository, folder, overlay)
    say(f"verify: two reproductions of HEAD in {scratch}")
    with ThreadPoolExecutor(len(folders)) as pool:
        running = [
            pool.submit(reproduce, folder, repository, jobs, folder.with_suffix(".log"))
            for jobs, folder in enumerate(folders, 1)
        ]
    for one in running:
        one.result()
    first, second = map(outputs, folders)
    different = sorted(path for path in first | second if first.get(path) != second.get(path))
    if different:
        raise UserError(
            f"two reproductions differ in {len(different)} of {len(first)} outputs: "
            + ", ".join(different)
        )
    print(f"verify: two reproductions, all {len(first)} outputs bit-equal")


def verify_commit(repository: Path, folder: Path) -> None:
    """Reproduce HEAD in `folder`, and compare with the outputs and metrics that it recorded.

    Raises:
        UserError: if data differ, or a metric is beyond its tolerance, missing or not recorded.
    """
    clone(repository, folder, None)
    recorded = outputs(folder)
    if not recorded:
        raise UserError(
            "HEAD has no dvc.lock, so it recorded no outputs; commit dvc.lock after `dvc repro`"
        )
    gate = reading.load(folder / reading.PARAMS).gate
    before = _metrics(folder)
    reproduce(folder, repository)
    reproduced = outputs(folder)
    equal = {path for path in recorded if reproduced.get(path) == recorded[path]}
    for top in sorted({path.split("/")[0] for path in recorded}):
        paths = [path for path in recorded if path.split("/")[0] == top]
        print(f"verify: {top}/: {sum(p in equal for p in paths)} of {len(paths)} bit-equal")
    after = _metrics(folder)
    changes = _changes(before, after, gate)
    for change in changes:
        print(change.line())
    _check(
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
    before: dict[str, float], after: dict[str, float], gate: Mapping[str, MetricOverride]
) -> list[Change]:
    return [
        compare(metric, value, after.get(metric), gate)
        for metric, value in before.items()
        if after.get(metric) != value
    ]


def _check(data: list[str], changes: list[Change], unknown: list[str]) -> None:
    """Raise unless the reproduction agrees; better than recorded is as wrong as worse.

    Args:
        data: paths that differ.
        changes: those beyond their tolerance.
        unknown: metrics that the commit did not record.
    """
    if data:
        raise UserError(
            f"data differ from those of the commit: {', '.join(data)}; {_OTHER_MACHINE}"
        )
    if changes:
        names = ", ".join(change.metric for change in changes)
        raise UserError(f"{len(changes)} metrics beyond their tolerance: {names}; {_OTHER_MACHINE}")
    if unknown:
        raise UserError(
            f"{len(unknown)} metrics that the commit did not record: {', '.join(unknown)}; "
            "commit metrics/ after `dvc repro`"
        )
