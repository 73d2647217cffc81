"""`python -m stages.neighbours <data set>`: find, score and draw `data/<name>-neighbours/`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from stages.lib import params, quadrants
from stages.lib.console import UserError, door
from stages.lib.features import extract
from stages.lib.files import write_json
from stages.lib.loop import make_fabric
from stages.lib.neighbours import folder_of, write_neighbours
from stages.lib.store import open_store
from stages.models import backbones
from stages.neighbours import figures
from stages.neighbours.find import Options, crowd_of, find
from stages.neighbours.score import score


def main() -> None:
    """Read the parameters, open the store, take features, look, score, draw."""
    parser = argparse.ArgumentParser(prog="python -m stages.neighbours", description=__doc__)
    parser.add_argument("data", help="a name under `data` in params.yaml")
    everything = params.load()
    name, spec = parser.parse_args().data, everything.neighbours
    everything.data_set(name)
    store = open_store(Path("data") / name)
    options = Options(
        search=spec.search,
        clusters=everything.number(spec.clusters),
        iterations=spec.iterations,
        probes=spec.probes,
        distinct=spec.distinct,
        seed=everything.seed,
    )
    crowd = crowd_of(store, options)
    device = make_fabric(everything.train).device
    backbone = _backbone(spec.backbone, name, everything.seed).to(device)
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        features = extract(
            store,
            np.arange(len(store.images)),
            lambda images: backbone.features(images, spec.size),
            Path(scratch) / "features.npy",
            quadrants=True,
            batch_size=spec.batch_size,
            device=device,
        )
        ids, distances, found = find(features, crowd, options, name)
        values = score(features, ids, crowd, quadrants.objects_of(store))
        card = {
            "store": {"name": name, "source": store.card["source"], "digest": store.digest},
            "features": {
                "backbone": spec.backbone,
                "fingerprint": backbone.fingerprint(),
                "side": spec.size or backbone.input_size,
                "numbers": features.shape[-1],
            },
            "options": vars(options),
            "candidates": int(crowd.candidates.sum()),
            **found,
        }
    neighbours = write_neighbours(folder_of(name), ids, distances, card)
    title = f"{name}-neighbours"
    rounded = {metric: float(f"{value:.4g}") for metric, value in values.items()}
    write_json(Path("metrics") / f"{title}.json", {f"{name}_neighbours": rounded})
    described = f"{title}: {spec.backbone}, search {spec.search}, {options.clusters} clusters"
    caption = f"{described}, seed {options.seed} · data {name} ({store.card['source']})"
    figures.draw_sheet(
        neighbours, store, options.seed, caption, Path("plots") / title / "sheet.png"
    )


def _backbone(name: str, data: str, seed: int) -> backbones.Backbone:
    """The network of the features; ``deepcluster`` is what was learnt from the same images."""
    asked = f"{name}@models/{data}-deepcluster" if name == backbones.DEEPCLUSTER else name
    try:
        return backbones.load(asked, seed)
    except backbones.BackboneError as error:
        raise UserError(f"neighbours.backbone: {error}") from None


def _scratch() -> Path:
    """Where features may lie while they are needed: many are larger than a temporary disk."""
    folder = Path(".cache/scratch-features")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    door(main)
