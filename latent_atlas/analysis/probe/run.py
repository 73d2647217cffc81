"""Probe of feature sources on labelled images: frozen, fine-tuned, and by knowledge transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from latent_atlas.analysis.probe import linear
from latent_atlas.analysis.probe.feature_sources import ConvolutionalFeatures, FeatureSource
from latent_atlas.analysis.probe.finetuning import RATE, finetune
from latent_atlas.analysis.probe.linear import Features, Rows
from latent_atlas.config.section import Positive, Section, Seed
from latent_atlas.data.clustering import kmeans, whiten
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.cluster_net import ClusterNet
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import Progress, UserError

_COMPONENTS = 256
_ITERATIONS = 20
_BATCH = 100


class ProbeSettings(Section):
    """Settings of a probe.

    Attributes:
        size: height and width of the images.
        folds: number of random training sets; one has no standard deviation.
        fold_size: training images per fold.
        finetune: epochs of fine-tuning; 0 for frozen features only.
        rate: learning rate of fine-tuning.
        clusters: of the features, for knowledge transfer.
        student_epochs: training of the AlexNet of knowledge transfer.
        student_width: factor on the number of maps of that AlexNet.
        seed: of folds and weights.
    """

    size: Annotated[int, Field(ge=16, le=4096)] = 64
    folds: Annotated[int, Field(ge=2)] = 10
    fold_size: Positive = 1000
    finetune: Annotated[int, Field(ge=0)] = 0
    rate: Annotated[float, Field(gt=0, le=1)] = RATE
    clusters: Annotated[int, Field(ge=2)] = 100
    student_epochs: Positive = 10
    student_width: Annotated[float, Field(gt=0)] = 1.0
    seed: Seed = 0


def probe_sources(
    sources: Sequence[FeatureSource], store: Store, settings: ProbeSettings
) -> pd.DataFrame:
    """Measure the accuracy of classifiers on the features of each source.

    Args:
        sources: networks that take the images of the store.
        store: labelled images.
        settings: folds and training.

    Returns:
        A row for each source with frozen features, and after fine-tuning a second row:
        ``features``, ``how``, ``accuracy_percent`` and ``sd`` (mean and sample standard
        deviation over the folds), and ``classifier_parameters``.

    Raises:
        FieldError: if the folds cannot be drawn.
        UserError: if the images have fewer than two classes or one split only.
    """
    train, test = _split(store)
    if len(store.classes) < 2 or len(test) == 0:
        raise UserError(
            f"{store.card['source']}: found {len(store.classes)} classes and {len(test)} test "
            "images with a class; expected at least two classes, and images of both splits"
        )
    labels = store.labels()[train]
    folds = linear.stratified_folds(labels, settings.folds, settings.fold_size, settings.seed)
    rows = []
    for source in sources:
        student = _train_student(source, source.teacher, settings) if source.teacher else source
        rows += _probe(student, store, train, test, folds, settings)
    return pd.DataFrame(rows)


def _split(store: Store) -> tuple[Rows, Rows]:
    """Labelled rows for training and testing; ``valid`` is the test set if there is no ``test``."""
    labels = store.labels()
    train, valid, test = (
        rows[labels[rows] >= 0] for rows in map(store.rows, ("train", "valid", "test"))
    )
    return (np.sort(np.concatenate([train, valid])), test) if len(test) else (train, valid)


def _probe(
    source: FeatureSource,
    store: Store,
    train: Rows,
    test: Rows,
    folds: list[Rows],
    settings: ProbeSettings,
) -> list[dict[str, object]]:
    """The rows of one source in the table."""
    labels = store.labels()
    features, test_features = (_features(source, store, rows) for rows in (train, test))
    accuracies = {
        "frozen": [
            linear.probe_accuracy(
                features[fold], labels[train[fold]], test_features, labels[test], settings.seed
            )
            for fold in folds
        ]
    }
    if settings.finetune:
        accuracies["fine-tuned"] = [
            _finetuned_accuracy(source, store, train[fold], test, number, settings)
            for number, fold in enumerate(folds, 1)
        ]
    return [
        {
            "features": source.name,
            "how": how,
            "accuracy_percent": round(100 * float(np.mean(values)), 2),
            "sd": round(100 * float(np.std(values, ddof=1)), 2),
            "classifier_parameters": (features.shape[1] + 1) * len(store.classes),
        }
        for how, values in accuracies.items()
    ]


def _finetuned_accuracy(
    source: FeatureSource,
    store: Store,
    train: Rows,
    test: Rows,
    number: int,
    settings: ProbeSettings,
) -> float:
    labels = store.labels()
    tuned = finetune(
        source.network,
        store.images[train],
        labels[train],
        len(store.classes),
        settings.finetune,
        settings.seed + number,
        f"fine-tune {source.name}, fold {number} of {settings.folds}",
        settings.rate,
    )
    return float((tuned.predict(store.images[test]) == labels[test]).mean())


def _train_student(
    source: FeatureSource, teacher: TrainedRun, settings: ProbeSettings
) -> FeatureSource:
    """Knowledge transfer: train an AlexNet on the clusters of the source's features."""
    store = open_store(Path("data") / teacher.run.data)
    teacher.check(store)
    rows = store.rows("train")
    clusters = min(settings.clusters, len(rows) // 2)
    features = whiten(_features(source, store, rows), _COMPONENTS)
    pseudo_labels, _ = kmeans(features, clusters, _ITERATIONS, settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ClusterNet("alexnet", settings.student_width, 8, sobel=False)
    tuned = finetune(
        ConvolutionalFeatures(network),
        store.images[rows],
        pseudo_labels,
        clusters,
        settings.student_epochs,
        settings.seed,
        f"{source.name}: AlexNet on {clusters} clusters",
    )
    return replace(source, network=tuned.network.eval(), teacher=None)


@torch.no_grad()
def _features(source: FeatureSource, store: Store, rows: Rows) -> Features:
    parts = []
    with Progress(f"features {source.name}", len(rows), "images") as progress:
        for start in range(0, len(rows), _BATCH):
            batch = to_images(torch.from_numpy(store.images[rows[start : start + _BATCH]]))
            parts.append(source.network(batch).float().numpy())
            progress.advance(len(batch))
    return np.concatenate(parts)
