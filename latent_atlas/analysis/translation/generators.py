"""Evaluation of a generator: classes of its samples, and their distribution."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.analysis.translation import scores
from latent_atlas.analysis.translation.attribute_classifier import (
    AttributeClassifier,
    scored_attributes,
    train_attribute_classifier,
)
from latent_atlas.analysis.translation.evaluation import load_backbone
from latent_atlas.config.schema import Translation
from latent_atlas.data import domains
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics import generative
from latent_atlas.metrics.image_features import distribution_scores, image_features
from latent_atlas.training.translated import TrainedTranslator
from latent_atlas.util.seeds import seed_for

Numbers = npt.NDArray[np.int64]

CONFIDENT = 0.9
"""Probability of the most probable class from which a sample counts as confident."""

REAL = "real"


@dataclass(frozen=True)
class Generation:
    """The result of an evaluation.

    Attributes:
        table: scores with the columns `scores.COLUMNS`, of the run and of real validation images.
        values: scores of the run, see `scores.headline`.
        images: uint8 N×H×W×C samples.
        attributes: N×A numbers of the values that they shall have.
        images_per_second: speed of the generator.
    """

    table: pd.DataFrame
    values: dict[str, float]
    images: Images
    attributes: Numbers
    images_per_second: float


def evaluate_generator(
    trained: TrainedTranslator, store: Store, settings: Translation, seed: int
) -> Generation:
    """Score random samples by a classifier of real images, and against real images.

    A conditional model is asked for every class equally often, or, with several attributes, for
    the combinations of random training images. Real validation images are scored likewise.

    Args:
        trained: a run of a generator.
        store: its images.
        settings: number of samples, classifier, backbone.
        seed: of the samples, the classifier and the bootstrap.

    Raises:
        UserError: if an attribute does not exist.
        FieldError: if the backbone cannot be loaded.
    """
    run, where = trained.run, f"runs.translation.{trained.run.name}.attributes"
    attributes = wanted_attributes(trained, store, settings.images, seed, where)
    started = time.monotonic()
    images = trained.generate(trained.codes(settings.images, seed), attributes)
    speed = len(images) / max(time.monotonic() - started, 1e-9)
    train, valid = store.rows("train"), store.rows("valid")
    classifier = _classifier(trained, store, settings, seed)
    held_out = store.images[valid[: settings.images]]
    parts = {run.name: (images, attributes), REAL: (held_out, None)}
    rows: list[tuple[str, str, str, float, float, float]] = []
    for name, (samples, requested) in parts.items():
        for attribute, metric, values in class_scores(classifier, samples, requested):
            rows.append(
                (name, attribute, metric, *scores.interval(values, settings.resamples, seed))
            )
        rows += [
            (name, attribute, "classes_found", share, np.nan, np.nan)
            for attribute, share in classes_found(classifier, samples).items()
        ]
    chosen = np.random.default_rng(seed_for(seed, "real")).permutation(train)[: settings.images]
    backbone = load_backbone(settings.backbone, seed)
    real = image_features(backbone, store.images[np.sort(chosen)], settings.size)
    for name, (samples, _) in parts.items():
        features = image_features(backbone, samples, settings.size)
        if min(len(real), len(features)) > generative.NEIGHBOURS:
            found = distribution_scores(real, features, backbone.name, seed)
            rows += [(name, scores.ALL, key, one, np.nan, np.nan) for key, one in found.items()]
    table = pd.DataFrame(rows, columns=list(scores.COLUMNS))
    table = _with_means(table)
    if classifier is not None:
        table = pd.concat([table, scores.accuracy_rows(classifier)], ignore_index=True)
    return Generation(table, scores.headline(table, run.name), images, attributes, speed)


def wanted_attributes(
    trained: TrainedTranslator, store: Store, count: int, seed: int, where: str
) -> Numbers:
    """The count×A numbers of the values that samples shall have; count×0 without attributes."""
    names = trained.run.attributes
    if not names:
        return np.empty((count, 0), np.int64)
    if len(names) == 1:
        return (np.arange(count, dtype=np.int64) % len(trained.values[names[0]]))[:, None]
    found = domains.attributes_of(store, names, where)
    rows = found.complete(store.rows("train"))
    return found.numbers[np.random.default_rng(seed_for(seed, "wanted")).choice(rows, count)]


def class_scores(
    classifier: AttributeClassifier | None, images: Images, requested: Numbers | None
) -> list[tuple[str, str, npt.NDArray[np.float64]]]:
    """Attribute, metric and a number per image, see `scores`; nothing without a classifier.

    Args:
        classifier: its first attributes are those of the model.
        images: uint8 N×H×W×C.
        requested: N×A numbers; None where nothing was requested.
    """
    if classifier is None:
        return []
    rows = []
    probabilities = classifier.probabilities(images)
    for place, name in enumerate(classifier.values):
        best = probabilities[place].max(1).astype(np.float64)
        rows += [(name, "confidence", best)]
        rows += [(name, "confident", (best >= CONFIDENT).astype(np.float64))]
        if requested is not None and place < requested.shape[1]:
            right = probabilities[place].argmax(1) == requested[:, place]
            rows += [(name, "requested_class", right.astype(np.float64))]
    return rows


def classes_found(classifier: AttributeClassifier | None, images: Images) -> dict[str, float]:
    """Attribute → share of its values that the classifier finds in any of the images."""
    if classifier is None:
        return {}
    predicted = classifier.predict(images)
    return {
        name: len(np.unique(predicted[:, place])) / len(values)
        for place, (name, values) in enumerate(classifier.values.items())
    }


def _classifier(
    trained: TrainedTranslator, store: Store, settings: Translation, seed: int
) -> AttributeClassifier | None:
    """Of the attributes of the model, else of the labels; None for images without any."""
    names = trained.run.attributes or (["label"] if len(store.classes) > 1 else [])
    if not names:
        return None
    scored = scored_attributes(store, names, f"runs.translation.{trained.run.name}")
    own = domains.Attributes(
        {name: scored.values[name] for name in names}, scored.numbers[:, : len(names)]
    )
    epochs, rows = settings.classifier_epochs, (store.rows("train"), store.rows("valid"))
    return train_attribute_classifier(own, store.images, *rows, epochs, seed)


def _with_means(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the mean over attributes of each score of classes, as a row of `ALL`."""
    single = table[table["attribute"] != scores.ALL]
    if not len(single):
        return table
    if single["attribute"].nunique() == 1:
        mean = single.copy()
    else:
        mean = single.groupby(["model", "metric"], sort=False, as_index=False)["value"].mean()
    mean["attribute"] = scores.ALL
    return pd.concat([table, mean.reindex(columns=list(scores.COLUMNS))], ignore_index=True)
