"""`python -m stages.probe IMAGES SOURCE…`: what do features know of the classes of these images?

IMAGES is any labelled source that the ingestion reads. A SOURCE is a backbone, or a part of a run:
encoder:models/scenes_mixing, discriminator:…, random:… (the encoder untrained),
transfer-encoder:… and transfer-discriminator:… (an AlexNet that learnt the features' clusters).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from latent_atlas.analysis.probe import finetuning, linear
from latent_atlas.analysis.probe.feature_sources import Convolutions, Source, open_source
from latent_atlas.config.schema import DataSet
from latent_atlas.config.section import MOST_SEED
from latent_atlas.data.clustering import kmeans, whiten
from latent_atlas.data.pixels import to_images
from latent_atlas.data.sources.ingested import ingest
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.cluster_net import ClusterNet, Shape
from latent_atlas.util.console import Progress, UserError, run_command, say
from latent_atlas.util.files import write_bytes
from latent_atlas.util.locks import alone

CACHE = Path(".cache/probe")

_RANGES = {
    "size": (16, 4096),  # as of any data set
    "folds": (2, math.inf),  # one has no deviation
    "finetune": (0, math.inf),
    "clusters": (2, math.inf),
    "student_epochs": (1, math.inf),
    "seed": (0, MOST_SEED),
}
"""The least and the most that an option may be."""

_COMPONENTS = 256
_ITERATIONS = 20
_BATCH = 100


def main() -> None:
    """Read the images, probe every source, write the table."""
    asked = _arguments()
    sources = [open_source(name, asked.seed) for name in asked.sources]
    for source in sources:
        source.check(asked.size)
    lock = CACHE.with_name(f"{CACHE.name}.lock")
    with alone(lock, "another probe is running"):  # its images are read to the end
        _measure(sources, _images(asked), asked)


def _measure(sources: list[Source], store: Store, asked: argparse.Namespace) -> None:
    train, test = _split(store)
    if len(store.classes) < 2 or len(test) == 0:
        raise UserError(
            f"{asked.images}: found {len(store.classes)} classes and {len(test)} test images with "
            "a class; expected two classes or more, and images of both splits"
        )
    try:
        folds = linear.folds(store.labels()[train], asked.folds, asked.fold_size, asked.seed)
    except ValueError as error:
        raise UserError(f"--fold-size: {error}") from None
    rows = []
    for source in sources:
        rows += _probe(_taught(source, asked), store, train, test, folds, asked)
    table = pd.DataFrame(rows)
    write_bytes(asked.out, table.to_csv(index=False).encode())
    print(_markdown(table))
    say(f"{asked.folds} folds of {len(folds[0])}, {len(test)} test images: {asked.out}")


def _split(store: Store) -> tuple[linear.Rows, linear.Rows]:
    """Rows with a class to train and to test on; without a split ``test``, ``valid`` is it."""
    labels = store.labels()
    train, valid, test = (
        rows[labels[rows] >= 0] for rows in map(store.rows, ("train", "valid", "test"))
    )
    return (np.sort(np.concatenate([train, valid])), test) if len(test) else (train, valid)


def _probe(
    source: Source,
    store: Store,
    train: linear.Rows,
    test: linear.Rows,
    folds: list[linear.Rows],
    asked: argparse.Namespace,
) -> list[dict[str, object]]:
    labels = store.labels()
    known, asked_of = (_features(source, store, rows) for rows in (train, test))
    shares = {
        "frozen": [
            linear.accuracy(known[fold], labels[train[fold]], asked_of, labels[test], asked.seed)
            for fold in folds
        ]
    }
    if asked.finetune:
        shares["fine-tuned"] = []
        for number, fold in enumerate(folds, 1):
            tuned = finetuning.train(
                source.network,
                store.images[train[fold]],
                labels[train[fold]],
                len(store.classes),
                asked.finetune,
                asked.seed + number,
                f"fine-tune {source.name}, fold {number} of {len(folds)}",
                asked.rate,
            )
            right = tuned.predict(store.images[test]) == labels[test]
            shares["fine-tuned"].append(float(right.mean()))
    classes = len(store.classes)
    return [
        {
            "features": source.name,
            "how": how,
            "accuracy_percent": round(100 * float(np.mean(found)), 2),
            "sd": round(100 * float(np.std(found, ddof=1)), 2),
            "classifier_parameters": (known.shape[1] + 1) * classes,
        }
        for how, found in shares.items()
    ]


def _taught(source: Source, asked: argparse.Namespace) -> Source:
    """For knowledge transfer, an AlexNet that has learnt the clusters of the features."""
    if source.teacher is None:
        return source
    store = open_store(Path("data") / source.teacher.run.data)
    source.teacher.check(store)
    rows = store.rows("train")
    clusters = min(asked.clusters, len(rows) // 2)
    features = whiten(_features(source, store, rows), _COMPONENTS)
    pseudo_labels, _ = kmeans(features, clusters, _ITERATIONS, asked.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(asked.seed)
        student = Convolutions(ClusterNet(Shape("alexnet", asked.student_width, 8, sobel=False)))
    tuned = finetuning.train(
        student,
        store.images[rows],
        pseudo_labels,
        clusters,
        asked.student_epochs,
        asked.seed,
        f"{source.name}: AlexNet on {clusters} clusters",
    )
    return Source(source.name, tuned.network.eval())


@torch.no_grad()
def _features(source: Source, store: Store, rows: linear.Rows) -> linear.Features:
    parts = []
    with Progress(f"features {source.name}", len(rows), "images") as progress:
        for start in range(0, len(rows), _BATCH):
            batch = to_images(torch.from_numpy(store.images[rows[start : start + _BATCH]]))
            parts.append(source.network(batch).float().numpy())
            progress.advance(len(batch))
    return np.concatenate(parts)


def _images(asked: argparse.Namespace) -> Store:
    data = DataSet(source=asked.images, height=asked.size, width=asked.size, channels=3, fit="crop")
    return ingest("probe", data, CACHE)


def _markdown(table: pd.DataFrame) -> str:
    lines = ["| features | how | accuracy (%) | classifier parameters |", "|---|---|---:|---:|"]
    for _, row in table.iterrows():
        lines.append(
            f"| {row['features']} | {row['how']} | {row['accuracy_percent']:.1f} ± {row['sd']:.1f} "
            f"| {row['classifier_parameters']:,} |"
        )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stages.probe",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", help="folder, archive, CSV or URL of labelled images")
    parser.add_argument("sources", nargs="+", metavar="source", help="whose features to probe")
    parser.add_argument("--size", type=int, default=64, help="height and width of the images")
    parser.add_argument("--folds", type=int, default=10, help="random training sets")
    parser.add_argument("--fold-size", type=int, default=1000, help="training images of a fold")
    parser.add_argument("--finetune", type=int, default=0, metavar="EPOCHS", help="also fine-tune")
    parser.add_argument(
        "--rate", type=float, default=finetuning.RATE, help="learning rate of fine-tuning"
    )
    parser.add_argument("--clusters", type=int, default=100, help="of knowledge transfer")
    parser.add_argument("--student-epochs", type=int, default=10, help="of knowledge transfer")
    parser.add_argument("--student-width", type=float, default=1.0, help="of its AlexNet's maps")
    parser.add_argument("--seed", type=int, default=0, help="of folds and weights")
    parser.add_argument("--out", type=Path, default=Path("probe.csv"), help="CSV to write")
    asked = parser.parse_args()
    for option, (least, most) in _RANGES.items():
        found = getattr(asked, option)
        if not least <= found <= most:
            name, end = option.replace("_", "-"), f" to {most}" if most < math.inf else " or more"
            raise UserError(f"--{name}: found {found}, expected {least}{end}")
    if not 0 < asked.student_width < math.inf:
        raise UserError(f"--student-width: found {asked.student_width:g}, expected more than 0")
    if not 0 < asked.rate <= 1:
        raise UserError(f"--rate: found {asked.rate:g}, expected a number above 0, at most 1")
    return asked


if __name__ == "__main__":
    run_command(main)
