"""`python -m stages.sources`: note in `data/<name>.source.json` what each source is like now.

Runs at every `dvc repro`; the ingestion of a data set depends on its note, so a changed source is
noticed and an unchanged one is not read again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from latent_atlas.config import reading
from latent_atlas.data.sources.fingerprint import address, fingerprint
from latent_atlas.data.sources.urls import UnreachableError
from latent_atlas.util.console import run_command, say
from latent_atlas.util.files import write_json


def main() -> None:
    """Write the note of every data set whose source is not as noted."""
    argparse.ArgumentParser(prog="python -m stages.sources", description=__doc__).parse_args()
    for name, data in reading.load().data.items():
        note = Path("data") / f"{name}.source.json"
        noted = _noted(note)
        try:
            found = fingerprint(data.source, f"data.{name}.source")
        except UnreachableError as error:
            if noted.get("address") != address(data.source):
                raise
            say(f"{error}; taking it to be unchanged")
            continue
        if found.get("version") == {}:
            say(
                f"data.{name}.source: the server of {found['source']} tells neither version, date "
                f"nor size, so no change is seen; after one, run `dvc repro --force ingest@{name}`"
            )
        if found != noted:
            write_json(note, found)


def _noted(note: Path) -> dict[str, Any]:
    """What was noted before; nothing if there is no readable note."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


if __name__ == "__main__":
    run_command(main)
