"""Scores of translated images, per image, with bootstrap intervals over images.

=============================  =====================================================================
``l1``, ``psnr``, ``ssim``,    against the true counterfactual, over the whole picture
``feature_distance``
``changed_…`` of these         over the pixels in which input and truth differ; of the feature
                               distance, with the true pixels everywhere else
``success``                    whether a classifier finds every requested value
``preservation``               share of the other attributes that it finds unchanged
``preserved_<attribute>``      likewise, of one attribute
``cycle_l1``                   after the translation there and back, against the input
``diversity_…``                mean over pairs of outputs of one input
``frechet_…``, ``kid_…``,      outputs against real images of the target domain
``precision``, …
=============================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from latent_atlas.analysis.translation.attribute_classifier import AttributeClassifier
from latent_atlas.analysis.translation.cases import Cases
from latent_atlas.data.store import Images
from latent_atlas.metrics import generative, paired
from latent_atlas.metrics.image_features import (
    Features,
    distribution_scores,
    feature_distance,
    image_features,
)
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.models.backbones import Backbone
from latent_atlas.util.console import say
from latent_atlas.util.seeds import seed_for

METRICS = {
    "l1": Metric("lower", 0.05),
    "feature_distance": Metric("lower", 0.05),
    "changed_l1": Metric("lower", 0.05, headline=True),
    "changed_psnr": Metric("higher", 0.05, "dB"),
    "changed_ssim": Metric("higher", 0.05),
    "changed_feature_distance": Metric("lower", 0.05),
    "success": Metric("higher", 0.05, headline=True),
    "preservation": Metric("higher", 0.05, headline=True),
    "preserved_*": Metric("higher", 0.05),
    "cycle_l1": Metric("lower", 0.05),
    "diversity_l1": Metric("higher", 0.1),
    "diversity_feature_distance": Metric("higher", 0.1),
    "confidence": Metric("higher", 0.05),
    "confident": Metric("higher", 0.05, headline=True),
    "classes_found": Metric("higher", 0.05, headline=True),
    "requested_class": Metric("higher", 0.05, headline=True),
}
"""Of translated images, and, the last four, of generated ones. Those of `metrics.reconstruction`
and `metrics.generative` are declared there."""

COLUMNS = ("model", "attribute", "metric", "value", "low", "high")
"""The columns of ``scores.csv``; ``attribute`` is the change, or `ALL`."""

ALL = "all"

LEVEL = 0.95

Scores = dict[str, npt.NDArray[np.float64]]
"""Metric → a number per image, NaN where it does not exist."""


@dataclass(frozen=True)
class Outputs:
    """What a model made of the cases.

    Attributes:
        images: uint8 N×H×W×C.
        back: uint8 N×H×W×C, the outputs translated back; None for models that cannot.
        variants: uint8 N×K×H×W×C, K outputs per input; None for models with one.
    """

    images: Images
    back: Images | None = None
    variants: npt.NDArray[np.uint8] | None = None


class Scorer:
    """Scores of the outputs of any model for the same cases.

    Args:
        cases: the inputs, requests and truths.
        classifier: of the scored attributes.
        backbone: network of the features.
        size: side to which images are resized for it.
        resamples: bootstrap samples of an interval.
        seed: of the bootstrap and of the subsets of KID.
    """

    def __init__(
        self,
        cases: Cases,
        classifier: AttributeClassifier,
        backbone: Backbone,
        size: int | None,
        resamples: int,
        seed: int,
    ) -> None:
        self.cases, self.classifier = cases, classifier
        self.backbone, self.size = backbone, size
        self.resamples, self.seed = resamples, seed
        self.real = {name: self.features(images) for name, images in cases.real.items()}
        self.truth = None if cases.truth is None else self.features(cases.truth)

    def features(self, images: Images) -> Features:
        """N×D features of N×H×W×C uint8 images."""
        return image_features(self.backbone, images, self.size)

    def table(self, model: str, outputs: Outputs) -> pd.DataFrame:
        """All scores of a model, with the columns `COLUMNS`: of every change, then of all."""
        features = self.features(outputs.images)
        scores = self._per_image(outputs, features)
        changes = self.cases.names()
        groups = {name: self.cases.changes == name for name in changes}
        groups[ALL] = np.ones(len(self.cases.changes), np.bool_)
        rows: list[tuple[str, str, str, float, float, float]] = []
        for name, inside in groups.items():
            for metric, values in scores.items():
                known = values[inside & ~np.isnan(values)]
                if len(known):
                    rows.append((model, name, metric, *self.interval(known)))
            real = [self.real[one] for one in (changes if name == ALL else [name])]
            for metric, value in self._distribution(np.concatenate(real), features[inside]).items():
                rows.append((model, name, metric, value, np.nan, np.nan))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def interval(self, values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        """The mean of N numbers with the ends of its 95 % bootstrap interval, see `interval`."""
        return interval(values, self.resamples, self.seed)

    def _per_image(self, outputs: Outputs, features: Features) -> Scores:
        scores = self._against_truth(outputs.images, features) | self._attributes(outputs.images)
        if outputs.back is not None:
            scores["cycle_l1"] = paired.compare(outputs.back, self.cases.images)["l1"]
        if outputs.variants is not None:
            scores |= self._diversity(outputs.variants)
        return scores

    def _against_truth(self, images: Images, features: Features) -> Scores:
        truth = self.cases.truth
        if truth is None or self.truth is None:
            return {}
        masks = paired.changed_pixels(self.cases.images, truth)
        scores = paired.compare(images, truth)
        scores["feature_distance"] = feature_distance(features, self.truth)
        within = paired.compare_within(images, truth, masks)
        pasted = self.features(np.where(masks[..., None], images, truth))
        changed = np.where(masks.any((1, 2)), feature_distance(pasted, self.truth), np.nan)
        within["feature_distance"] = changed
        return scores | {f"changed_{name}": values for name, values in within.items()}

    def _attributes(self, images: Images) -> Scores:
        cases = self.cases
        right = (self.classifier.predict(images) == cases.expected).astype(np.float64)
        others = ~cases.requested & (cases.expected >= 0)
        scores: Scores = {}
        if cases.requested.any():
            scores["success"] = np.where(cases.requested, right, 1.0).min(1)
        kept = np.where(others, right, np.nan)
        counts = others.sum(1)
        if counts.any():
            total = np.where(others, right, 0).sum(1)
            scores["preservation"] = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
        for place, name in enumerate(self.classifier.values):
            if others[:, place].any():
                scores[f"preserved_{name}"] = kept[:, place]
        return scores

    def _diversity(self, variants: npt.NDArray[np.uint8]) -> Scores:
        count, outputs = variants.shape[:2]
        flat = self.features(variants.reshape(-1, *variants.shape[2:])).reshape(count, outputs, -1)
        pairs = list(combinations(range(outputs), 2))
        l1 = [paired.compare(variants[:, a], variants[:, b])["l1"] for a, b in pairs]
        far = [feature_distance(flat[:, a], flat[:, b]) for a, b in pairs]
        return {
            "diversity_l1": np.mean(l1, axis=0),
            "diversity_feature_distance": np.mean(far, axis=0),
        }

    def _distribution(self, real: Features, fake: Features) -> dict[str, float]:
        """Left out, with a message, for sets that are too small for neighbours."""
        fewest = min(len(real), len(fake))
        if fewest <= generative.NEIGHBOURS:
            least = generative.NEIGHBOURS + 1
            say(f"distribution scores left out: found {fewest} images, they need {least} or more")
            return {}
        return distribution_scores(real, fake, self.backbone.name, self.seed)


def interval(
    values: npt.NDArray[np.float64], resamples: int, seed: int
) -> tuple[float, float, float]:
    """The mean of N numbers, and the ends of its 95 % percentile bootstrap interval over images."""
    random = np.random.default_rng(seed_for(seed, "bootstrap"))
    drawn = random.integers(len(values), size=(resamples, len(values)))
    ends = np.quantile(values[drawn].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(values.mean()), float(ends[0]), float(ends[1])


def headline(table: pd.DataFrame, model: str) -> dict[str, float]:
    """The scores of a model over all changes, as ``m``, ``m_low`` and ``m_high`` of a metric m."""
    values: dict[str, float] = {}
    chosen = table[(table["model"] == model) & (table["attribute"] == ALL)]
    for row in chosen.to_dict("records"):
        name = str(row["metric"])
        values[name] = float(row["value"])
        if not np.isnan(row["low"]):
            values |= {f"{name}_low": float(row["low"]), f"{name}_high": float(row["high"])}
    return values


def accuracy_rows(classifier: AttributeClassifier) -> pd.DataFrame:
    """The accuracy of the classifier by attribute, with the columns `COLUMNS`."""
    rows = [
        ("classifier", name, "accuracy", value, np.nan, np.nan)
        for name, value in classifier.accuracy.items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def written(tables: Sequence[pd.DataFrame]) -> bytes:
    """The tables as one CSV with four significant digits."""
    table = pd.concat([one for one in tables if len(one)], ignore_index=True)
    return table.to_csv(index=False, float_format="%.4g", lineterminator="\n").encode()
