"""`python -m stages.neighbours <data set>`: find, score and plot the neighbours of every tile."""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.neighbours.agreement import METRICS, score_neighbours
from latent_atlas.analysis.neighbours.build import search_neighbours
from latent_atlas.analysis.neighbours.plots import plot_neighbours
from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import neighbours_folder, write_neighbours
from latent_atlas.data.store import open_store
from latent_atlas.data.tiles import objects_in_tiles
from latent_atlas.metrics.writing import write_metrics
from latent_atlas.models import backbones
from latent_atlas.training.fabric import make_fabric
from latent_atlas.util.console import UserError, fields_of, run_command


def main() -> None:
    """Read the parameters, search, score, and write the table, the metrics and the sheet."""
    parser = argparse.ArgumentParser(prog="python -m stages.neighbours", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    params, name = reading.load(), parser.parse_args().data
    settings, seed = params.neighbours, params.seed
    params.data_set(name)
    store = open_store(Path("data") / name)
    with fields_of("train"):
        device = make_fabric(params.train).device
    backbone = _backbone(settings.backbone, name, seed).to(device)
    with (
        fields_of("neighbours"),
        search_neighbours(store, settings, seed, backbone, device) as search,
    ):
        objects = objects_in_tiles(store, settings.tiles)
        scores = score_neighbours(search.features, search.ids, search.candidates, objects)
    table = write_neighbours(neighbours_folder(name), search.ids, search.distances, search.card)
    title = f"{name}-neighbours"
    write_metrics(title, {f"{name}_neighbours": scores}, [METRICS])
    caption = (
        f"{title}: {settings.backbone}, search {settings.search}, {settings.clusters} clusters, "
        f"seed {seed} · data {name} ({store.card['source']})"
    )
    plot_neighbours(table, store, seed, caption, Path("plots") / title / "sheet.png")


def _backbone(name: str, data: str, seed: int) -> backbones.Backbone:
    """The network of the features; ``deepcluster`` is the one trained on the same images."""
    full_name = f"{name}@models/{data}-deepcluster" if name == backbones.DEEPCLUSTER else name
    try:
        return backbones.load(full_name, seed)
    except backbones.BackboneError as error:
        raise UserError(f"neighbours.backbone: {error}") from None


if __name__ == "__main__":
    run_command(main)
