"""`python -m stages.neighbours <data set>`: find, score and draw `data/<name>-neighbours/`."""

from __future__ import annotations

import argparse
from pathlib import Path

from latent_atlas.analysis.neighbours import plots
from latent_atlas.analysis.neighbours.agreement import score
from latent_atlas.analysis.neighbours.build import Options, searched
from latent_atlas.config import reading
from latent_atlas.data import tiles
from latent_atlas.data.neighbour_table import folder_of, write_neighbours
from latent_atlas.data.store import open_store
from latent_atlas.models import backbones
from latent_atlas.training.loop import make_fabric
from latent_atlas.util.console import UserError, run_command
from latent_atlas.util.files import write_json


def main() -> None:
    """Read the parameters, open the store, take features, look, score, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.neighbours", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    everything = reading.load()
    name, spec = parser.parse_args().data, everything.neighbours
    everything.data_set(name)
    store = open_store(Path("data") / name)
    options = Options.of(spec, everything.scale, everything.seed)
    device = make_fabric(everything.train).device
    backbone = _backbone(spec.backbone, name, everything.seed).to(device)
    with searched(store, spec, options, backbone, device) as found:
        values = score(found.features, found.ids, found.crowd, tiles.objects_of(store, spec.tiles))
    neighbours = write_neighbours(folder_of(name), found.ids, found.distances, found.card)
    title = f"{name}-neighbours"
    rounded = {metric: float(f"{value:.4g}") for metric, value in values.items()}
    write_json(Path("metrics") / f"{title}.json", {f"{name}_neighbours": rounded})
    described = f"{title}: {spec.backbone}, search {spec.search}, {options.clusters} clusters"
    caption = f"{described}, seed {options.seed} · data {name} ({store.card['source']})"
    plots.draw_sheet(neighbours, store, options.seed, caption, Path("plots") / title / "sheet.png")


def _backbone(name: str, data: str, seed: int) -> backbones.Backbone:
    """The network of the features; ``deepcluster`` is what was learnt from the same images."""
    asked = f"{name}@models/{data}-deepcluster" if name == backbones.DEEPCLUSTER else name
    try:
        return backbones.load(asked, seed)
    except backbones.BackboneError as error:
        raise UserError(f"neighbours.backbone: {error}") from None


if __name__ == "__main__":
    run_command(main)
