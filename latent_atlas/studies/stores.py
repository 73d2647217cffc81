"""The image stores of a study, and the neighbours of their quadrants.

Drawn images are kept, any other source is read anew each time; neighbours are kept.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from latent_atlas.analysis.neighbours.build import Options, searched
from latent_atlas.config.schema import DataSet, QuadrantNeighbours
from latent_atlas.data import store as stores
from latent_atlas.data import synthetic
from latent_atlas.data.neighbour_table import Neighbours, open_neighbours, write_neighbours
from latent_atlas.data.sources.ingested import ingest
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic import store as drawn
from latent_atlas.data.synthetic.store import PREFIX, draw
from latent_atlas.models import backbones
from latent_atlas.studies import digests
from latent_atlas.studies.plan import Scale, number
from latent_atlas.util.console import UserError


def make(name: str, data: DataSet, scale: Scale, seed: int, folder: Path, read: Path) -> Store:
    """The store of the data set `name`, below `folder`, or below `read` if it is not drawn.

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
    return ingest(name, data, read)


def neighbours(
    store: Store, spec: QuadrantNeighbours, options: Options, folder: Path
) -> Neighbours:
    """The neighbours of the quadrants of `store`, below `folder`.

    Raises:
        UserError: if they cannot be had.
    """
    path = folder / "neighbours" / _mark(store, spec, options) / store.name
    if not path.is_dir():
        try:
            backbone = backbones.load(spec.backbone, options.seed)
        except backbones.BackboneError as error:
            raise UserError(f"neighbours.backbone: {error}") from None
        with searched(store, spec, options, backbone) as found:
            write_neighbours(path, found.ids, found.distances, found.card)
    return open_neighbours(path)


def _mark(store: Store, spec: QuadrantNeighbours, options: Options) -> str:
    """What neighbours follow from: the images, how they are looked for, and the code at work."""
    digest = hashlib.sha256(f"{store.digest} {spec.model_dump_json()} {options}".encode())
    for file in digests.NEIGHBOURS:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _fingerprint(data: DataSet, count: int, seed: int) -> str:
    digest = hashlib.sha256(data.model_dump_json(exclude={"count", "licence"}).encode())
    digest.update(f"{count} {seed}".encode())
    code = [*Path(synthetic.__path__[0]).glob("*.py"), Path(drawn.__file__), Path(stores.__file__)]
    for file in sorted(code):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
