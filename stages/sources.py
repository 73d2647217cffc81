"""`python -m stages.sources`: write the state of each source to `data/<name>.source.json`.

It runs at every `dvc repro`. The ingestion of a data set depends on this file, so a changed source
is noticed, and an unchanged one is not read again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from latent_atlas.config import reading
from latent_atlas.data.sources.fingerprint import address, fingerprint
from latent_atlas.data.sources.urls import UnreachableError
from latent_atlas.util.console import fields_of, run_command, say
from latent_atlas.util.files import write_json


def main() -> None:
    """Write the state of every source that has changed."""
    argparse.ArgumentParser(prog="python -m stages.sources", description=__doc__).parse_args()
    for name, data in reading.load().data.items():
        with fields_of(f"data.{name}"):
            _update(name, data.source)


def _update(name: str, source: str) -> None:
    path = Path("data") / f"{name}.source.json"
    recorded = _read(path)
    try:
        state = fingerprint(source)
    except UnreachableError as error:
        if recorded.get("address") != address(source):
            raise
        say(f"data.{name}.{error}; assuming that it has not changed")
        return
    if state.get("version") == {}:
        say(
            f"data.{name}.source: the server of {state['source']} sends no version, date or size, "
            f"so changes are not detected; after one, run `dvc repro --force ingest@{name}`"
        )
    if state != recorded:
        write_json(path, state)


def _read(path: Path) -> dict[str, Any]:
    """The recorded state; empty if there is no readable file."""
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


if __name__ == "__main__":
    run_command(main)
