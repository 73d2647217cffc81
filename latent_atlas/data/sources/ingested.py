"""Images of any source, read by the ingestion's door into a place of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from latent_atlas.config import reading
from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources import fetch
from latent_atlas.data.store import Store, open_store

_CODE = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """For a process started from here: one thread, and this code wherever it runs."""
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONPATH": f"{_CODE}{os.pathsep}{path}" if path else str(_CODE),
    }


def ingest(name: str, data: DataSet, workplace: Path) -> Store:
    """Run the door of the ingestion in a folder with a params.yaml of its own.

    Args:
        name: of the data set.
        data: its source, and what is asked of it.
        workplace: is made; the store is ``data/<name>`` in it.

    Raises:
        SystemExit: if it cannot be ingested, after the door has said why.
    """
    values = reading.without_runs(reading.read(reading.PARAMS))  # which are of other images
    values["data"] = {name: data.model_dump()}
    workplace.mkdir(parents=True, exist_ok=True)
    (workplace / reading.PARAMS).write_text(yaml.safe_dump(values, sort_keys=False))
    door = subprocess.run(  # noqa: S603 - our own door
        [sys.executable, "-m", "stages.ingest", name],
        cwd=workplace,
        env=environment() | {"LATENT_ATLAS_ROOT": str(fetch.repository())},
        check=False,
    )
    if door.returncode:
        raise SystemExit(door.returncode)
    return open_store(workplace / "data" / name)
