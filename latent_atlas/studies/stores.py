"""Image stores of a study, and the neighbours of their tiles.

Drawn images and neighbours are kept in the cache; any other source is ingested in every run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from latent_atlas.analysis.neighbours import build
from latent_atlas.config.schema import DataSet, QuadrantNeighbours
from latent_atlas.data.neighbour_table import NeighbourTable, open_neighbours, write_neighbours
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.data.store import Store, open_store
from latent_atlas.data.synthetic import store as drawn
from latent_atlas.models import backbones
from latent_atlas.util.console import UserError, fields_of
from latent_atlas.util.imports import code_digest


def make_store(name: str, data: DataSet, seed: int, cache: Path, ingested: Path) -> Store:
    """Draw or ingest the images of a data set.

    Args:
        name: of the data set.
        data: its source and sizes.
        seed: of drawn images and of random crops.
        cache: folder of drawn stores, which are named by their parameters and code.
        ingested: folder of other stores, which are replaced: their source may have changed.

    Raises:
        UserError: if it cannot be drawn or ingested.
    """
    if not data.source.startswith(drawn.PREFIX) or data.count is None:
        with fields_of(f"data.{name}"):
            return ingest(name, data, ingested / name, seed)
    contents = data.model_dump_json(exclude={"licence"}), seed, code_digest([drawn.__name__])
    path = cache / "drawn" / _fingerprint(*contents) / name
    if not path.is_dir():
        drawn.draw_data_set(name, data, data.count, seed, path)
    return open_store(path)


def make_neighbours(
    store: Store, settings: QuadrantNeighbours, seed: int, cache: Path
) -> NeighbourTable:
    """Find the neighbours of all tiles of `store`, or open those in the cache.

    Raises:
        UserError: if the backbone cannot be loaded, or there are too few images.
    """
    weights, code = weights_digest(settings.backbone), code_digest([build.__name__])
    mark = _fingerprint(store.digest, settings.model_dump_json(), seed, weights, code)
    path = cache / "neighbours" / mark / store.name
    if not path.is_dir():
        try:
            backbone = backbones.load(settings.backbone, seed)
        except backbones.BackboneError as error:
            raise UserError(f"neighbours.backbone: {error}") from None
        with (
            fields_of("neighbours"),
            build.search_neighbours(store, settings, seed, backbone) as search,
        ):
            write_neighbours(path, search.ids, search.distances, search.card)
    return open_neighbours(path)


def weights_digest(backbone: str) -> str:
    """SHA-256 of the files that a backbone's name points to; empty if it points to none.

    Args:
        backbone: e.g. ``deepcluster@models/scenes-deepcluster``, or ``vgg19@vgg19.safetensors``.
    """
    path = Path(backbone.partition("@")[2])
    files = [path] if path.is_file() else sorted(path.glob("*")) if "@" in backbone else []
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    return " ".join(digests)


def _fingerprint(*contents: object) -> str:
    return hashlib.sha256("\n".join(map(str, contents)).encode()).hexdigest()[:16]
