"""Evaluation of a translation run: scores of the model and of the baselines, and one sheet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from latent_atlas.analysis.translation import baselines, scores
from latent_atlas.analysis.translation.attribute_classifier import (
    AttributeClassifier,
    scored_attributes,
    train_attribute_classifier,
)
from latent_atlas.analysis.translation.cases import (
    Cases,
    cases_of,
    input_images,
    required_columns,
    target_images,
)
from latent_atlas.analysis.translation.scores import Outputs, Scorer
from latent_atlas.config.schema import Translation
from latent_atlas.data.domains import Attributes
from latent_atlas.data.store import Images, Store
from latent_atlas.models import backbones
from latent_atlas.models.backbones import Backbone
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.training.translated import TrainedTranslator
from latent_atlas.training.translation import OpenStore
from latent_atlas.util.console import FieldError
from latent_atlas.util.seeds import seed_for

TRUTH = "truth"


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        table: scores with the columns `scores.COLUMNS`, of the run, the baselines and, where it is
            known, the truth, whose attributes bound what the classifier can tell.
        values: scores of the run over all changes, see `scores.headline`.
        cases: the images.
        outputs: model or baseline → uint8 N×H×W×C.
        variants: uint8 N×K×H×W×C, K outputs per input; None for models with one.
        images_per_second: speed of the translation.
    """

    table: pd.DataFrame
    values: dict[str, float]
    cases: Cases
    outputs: Mapping[str, Images]
    variants: Images | None
    images_per_second: float


def load_backbone(name: str, seed: int) -> Backbone:
    """The backbone of the features; raises FieldError of ``backbone`` if it cannot be loaded."""
    try:
        return backbones.load(name, seed)
    except backbones.BackboneError as error:
        raise FieldError("backbone", str(error)) from None


def evaluate_translator(
    trained: TrainedTranslator,
    store: Store,
    settings: Translation,
    seed: int,
    open_other: OpenStore,
    vae: TrainedRun | None = None,
) -> Evaluation:
    """Score a run and the baselines on the same validation images.

    Args:
        trained: a run of a model that translates.
        store: its images.
        settings: numbers of images and outputs, classifier, backbone.
        seed: of the choice of images, the classifier, the noise and the bootstrap.
        open_other: opens the store of the targets, for pairs of two stores.
        vae: a run on the same data, for the attribute vectors.

    Raises:
        UserError: if nothing can be translated.
        FieldError: if the backbone cannot be loaded.
    """
    where = f"runs.translation.{trained.run.name}"
    scored = scored_attributes(store, required_columns(trained), where)
    cases = cases_of(trained, store, scored, settings.images, seed, open_other)
    classifier = train_classifier(trained, store, scored, settings, seed, open_other)
    backbone = load_backbone(settings.backbone, seed)
    scorer = Scorer(cases, classifier, backbone, settings.size, settings.resamples, seed)
    started = time.monotonic()
    first = _translate(trained, cases, seed)
    speed = len(first) / max(time.monotonic() - started, 1e-9)
    own = Outputs(
        first,
        None if trained.run.pairs is not None else _back(trained, cases, first, seed),
        _variants(trained, cases, seed, settings.outputs),
    )
    rows = {trained.run.name: own, baselines.NOTHING: _nothing(trained, cases)}
    pool = _pool(trained, store, scored, open_other)
    rows[baselines.NEAREST] = Outputs(baselines.nearest_images(cases, pool))
    if vae is not None and cases.requested.any():
        train = store.rows("train")
        moved = baselines.attribute_vector_images(
            cases, vae, store.images[train], scored.numbers[train]
        )
        rows[baselines.VECTOR] = Outputs(moved)
    if cases.truth is not None:
        rows[TRUTH] = Outputs(cases.truth)
    tables = [scorer.table(name, outputs) for name, outputs in rows.items()]
    table = pd.concat([*tables, scores.accuracy_rows(classifier)], ignore_index=True)
    return Evaluation(
        table,
        scores.headline(table, trained.run.name),
        cases,
        {name: outputs.images for name, outputs in rows.items()},
        own.variants,
        speed,
    )


def train_classifier(
    trained: TrainedTranslator,
    store: Store,
    scored: Attributes,
    settings: Translation,
    seed: int,
    open_other: OpenStore,
) -> AttributeClassifier:
    """The classifier of the attributes of what the model makes; of pairs, of the targets."""
    images, found = target_images(trained, store, open_other)
    train, held_out = (rows[found[rows]] for rows in map(store.rows, ("train", "valid")))
    epochs = settings.classifier_epochs
    return train_attribute_classifier(scored, images, train, held_out, epochs, seed)


def _translate(trained: TrainedTranslator, cases: Cases, seed: int) -> Images:
    return trained.translate(cases.images, cases.attributes, cases.targets, seed)[:, 0]


def _back(trained: TrainedTranslator, cases: Cases, outputs: Images, seed: int) -> Images:
    """The outputs translated back; of models with styles, with other random ones."""
    noise = seed_for(seed, "back")
    return trained.translate(outputs, cases.targets, cases.attributes, noise)[:, 0]


def _variants(trained: TrainedTranslator, cases: Cases, seed: int, outputs: int) -> Images | None:
    if not trained.style_dim:
        return None
    noise = seed_for(seed, "variants")
    return trained.translate(cases.images, cases.attributes, cases.targets, noise, outputs)


def _nothing(trained: TrainedTranslator, cases: Cases) -> Outputs:
    """The inputs; where they are translated back, doing nothing does that without an error."""
    return Outputs(cases.images, None if trained.run.pairs is not None else cases.images)


def _pool(
    trained: TrainedTranslator, store: Store, scored: Attributes, open_other: OpenStore
) -> baselines.Pool:
    outputs, found = target_images(trained, store, open_other)
    rows = store.rows("train")
    rows = rows[found[rows]]
    inputs = input_images(trained, store.images[rows])
    return baselines.Pool(inputs, outputs[rows], scored.numbers[rows])
