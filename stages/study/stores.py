"""The image stores of a study: drawn ones are kept, any other source is read anew each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stages import drawing
from stages.lib import drawn
from stages.lib import store as stores
from stages.lib.drawn import PREFIX, draw
from stages.lib.ingested import ingest
from stages.lib.params import DataSet
from stages.lib.store import Store, open_store
from stages.study.plan import Scale, number


def make(name: str, data: DataSet, scale: Scale, seed: int, folder: Path) -> Store:
    """The store of the data set `name`, below `folder`.

    A drawn store follows from parameters and code, which its name tells; what another source holds
    may have changed, so the door of the ingestion reads it again.

    Raises:
        UserError: if it cannot be drawn.
        SystemExit: if it cannot be ingested, after the door has said why.
    """
    if data.source.startswith(PREFIX) and data.count is not None:
        count = number(data.count, scale)
        path = folder / "drawn" / _fingerprint(data, count, seed) / name
        if not path.is_dir():
            draw(name, data, count, seed, path)
        return open_store(path)
    return ingest(name, data, folder / "read" / scale)


def _fingerprint(data: DataSet, count: int, seed: int) -> str:
    digest = hashlib.sha256(data.model_dump_json(exclude={"count", "licence"}).encode())
    digest.update(f"{count} {seed}".encode())
    code = [*Path(drawing.__path__[0]).glob("*.py"), Path(drawn.__file__), Path(stores.__file__)]
    for file in sorted(code):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
