"""Evaluation of mixed scenes: every run renders the same mixes, which are compared with the truth.

Two kinds of mixes are measured: with neighbours as donors, as in training, and with random donors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from latent_atlas.analysis.scene_mixing import ground_truth
from latent_atlas.analysis.scene_mixing import mixes as mixing
from latent_atlas.analysis.scene_mixing.ground_truth import (
    GroundTruth,
    draw_ground_truth,
    is_drawn,
    transfer_rates,
)
from latent_atlas.analysis.scene_mixing.mixes import Mixes, neighbour_mixes, random_donor_mixes
from latent_atlas.analysis.scene_mixing.object_classifier import (
    ObjectClassifier,
    backbone_features,
    train_object_classifier,
)
from latent_atlas.analysis.scene_mixing.object_probe import object_probe_accuracy
from latent_atlas.analysis.scene_mixing.plots import plot_mixes
from latent_atlas.config.schema import Mixing
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics import generative, reconstruction
from latent_atlas.metrics.reconstruction import psnr_and_ssim
from latent_atlas.models import backbones
from latent_atlas.training.checkpoint import TrainedRun
from latent_atlas.util.console import FieldError

KINDS = {"near": "donors are neighbours", "random": "donors are random images"}
"""Kinds of mixes, and their description in titles."""

METRICS = {
    f"{kind}_{name}": metric._replace(headline=(kind, name) == ("near", "transferred"))
    for kind in KINDS
    for name, metric in {
        "psnr": reconstruction.METRICS["psnr"],
        "ssim": reconstruction.METRICS["ssim"],
        **ground_truth.METRICS,
        **generative.METRICS,
    }.items()
}
"""The metrics of pictures, by kind of mix."""

OBJECT_PROBE = "object_probe_accuracy"

MIN_FID_IMAGES = 2048
"""Smallest number of images for FID, so that the covariance of its 2,048 features has full rank."""

_CLASSIFIER_SEED = 10_000
"""Added to the seed, so that no data set is drawn with the seed of the classifier's scenes."""


def distance_names(backbone: str) -> tuple[str, str]:
    """The metric names of the Fréchet and the kernel distance of a backbone's features."""
    name = backbone.partition("@")[0]
    return ("fid", "kid") if name == backbones.INCEPTION else (f"frechet_{name}", f"kid_{name}")


class MixingEvaluator:
    """Mixes of validation images, their ground truth, and the metrics of pictures of them.

    Args:
        store: the scenes.
        settings: number and kind of the mixes, backbone and object classifier.
        seed: of the mixes, of the classifier's scenes, and of the real images for comparison.
        neighbours: of the tiles of the scenes.

    Attributes:
        mixes: by kind, see `KINDS`.
        truth: by kind; None unless the scenes are drawn and the tiles are quadrants.
        classifier: of objects; None where there is no ground truth.

    Raises:
        FieldError: if there are too few mixes or images, or the backbone cannot be loaded.
    """

    def __init__(
        self, store: Store, settings: Mixing, seed: int, neighbours: NeighbourTable
    ) -> None:
        self._store, self._settings, self._seed = store, settings, seed
        # The Fréchet distance depends on the number of images: take as many real as mixed ones.
        count = min(settings.mixes, len(store.rows("valid")))
        shuffled = np.random.default_rng(seed).permutation(store.rows("train"))
        real = store.images[np.sort(shuffled[:count])]
        try:
            self._backbone = backbones.load(settings.backbone, seed)
            self._real = backbone_features(self._backbone, real, settings.size)
        except backbones.BackboneError as error:
            raise FieldError("backbone", str(error)) from None
        if min(count, len(real)) <= generative.NEIGHBOURS:
            raise FieldError(
                "mixes",
                f"found {settings.mixes}, with {len(store.rows('valid'))} validation and "
                f"{len(store.rows('train'))} training images of {store.name}; expected more than "
                f"{generative.NEIGHBOURS} of each. Raise it, take a larger share of the images for "
                "validation, or add images",
            )
        if distance_names(settings.backbone)[0] == "fid" and min(count, len(real)) < MIN_FID_IMAGES:
            raise FieldError(
                "mixes",
                f"found {min(count, len(real))} mixed and real images, expected at least "
                f"{MIN_FID_IMAGES} for FID; raise it, add images, or choose another backbone",
            )
        self.mixes = {kind: self._draw_mixes(kind, neighbours) for kind in KINDS}
        self.truth: dict[str, GroundTruth | None] = dict.fromkeys(KINDS)
        self.classifier: ObjectClassifier | None = None
        if is_drawn(store) and neighbours.tiles == 2:
            self.classifier = train_object_classifier(
                self._backbone,
                settings.size,
                settings.classifier_images,
                store.shape[:2],
                seed + _CLASSIFIER_SEED,
            )
            self.truth |= {
                kind: draw_ground_truth(store, mixes) for kind, mixes in self.mixes.items()
            }

    def _draw_mixes(self, kind: str, neighbours: NeighbourTable) -> Mixes:
        random = np.random.default_rng([self._seed, list(KINDS).index(kind)])
        rows = random.permutation(self._store.rows("valid"))[: self._settings.mixes]
        segments = self._settings.segments
        if kind == "random":
            return random_donor_mixes(rows, random, neighbours.tiles, segments)
        neighbours.check(self._store)
        return neighbour_mixes(rows, neighbours, self._settings.tau, random, segments)

    def paste(self, kind: str) -> Images:
        """The mixes of a kind as pasted pixels, without a model."""
        return mixing.paste(self._store.images, self.mixes[kind])

    def render(self, kind: str, run: TrainedRun) -> Images:
        """The mixes of a kind as rendered by a run of `mixes.open_mixable`."""
        return mixing.render(run, self._store.images, self.mixes[kind])

    def measure_pictures(self, kind: str, pictures: Images) -> dict[str, float]:
        """Measure N uint8 pictures of the N mixes of a kind.

        Returns:
            Metrics with the kind as prefix, e.g. ``near_psnr``. Where the truth is known: ``psnr``
            (dB) and ``ssim`` against the true image, ``transferred`` and ``kept``, see
            `ground_truth.transfer_rates`. Against real images: ``frechet_<backbone>``,
            ``kid_<backbone>``, ``precision``, ``recall``, ``density`` and ``coverage``. With the
            backbone ``inception``, which defines them: ``fid``, ``kid`` and ``inception_score``.
        """
        metrics: dict[str, float] = {}
        truth = self.truth[kind]
        if truth is not None and self.classifier is not None:
            psnr, ssim = psnr_and_ssim(truth.images, pictures).mean(0)
            metrics |= {"psnr": float(psnr), "ssim": float(ssim)}
            predicted = self.classifier.classify(pictures)
            metrics |= transfer_rates(truth, self.mixes[kind], predicted)
        mixed = backbone_features(self._backbone, pictures, self._settings.size)
        frechet, kid = distance_names(self._settings.backbone)
        metrics |= {
            frechet: generative.frechet_distance(self._real, mixed),
            kid: generative.kid(self._real, mixed, self._seed),
            **generative.precision_recall_density_coverage(self._real, mixed),
        }
        logits = self._backbone.logits(torch.from_numpy(mixed))
        if logits is not None:
            metrics["inception_score"] = generative.inception_score(logits.numpy())[0]
        return {f"{kind}_{name}": value for name, value in metrics.items()}

    def measure_run(self, run: TrainedRun) -> dict[str, float]:
        """Measure the renderings of both kinds of mixes, and probe the codes."""
        metrics: dict[str, float] = {}
        for kind in KINDS:
            metrics |= self.measure_pictures(kind, self.render(kind, run))
        return metrics | self.probe_codes(run)

    def probe_codes(self, run: TrainedRun) -> dict[str, float]:
        """``object_probe_accuracy`` of a run; empty where there is no ground truth."""
        if self.classifier is None:
            return {}
        train_images, test_images = self._settings.classifier_images, self._settings.mixes
        accuracy = object_probe_accuracy(run, self._store, train_images, test_images)
        return {OBJECT_PROBE: accuracy}

    def plot_kind(self, kind: str, pictures: Mapping[str, Images], title: str, path: Path) -> None:
        """Write a sheet of the first mixes of a kind.

        The columns are the references, donors and masks, the pasted mixes, `pictures` (label →
        pictures), and the true images where they are known.
        """
        columns = {"pasted": self.paste(kind), **pictures}
        if (truth := self.truth[kind]) is not None:
            columns["true"] = truth.images
        source = f"data {self._store.name} ({self._store.card['source']})"
        heading = f"Mixed scenes, validation images; {KINDS[kind]} · {title} · {source}"
        images, rows = self._store.images, self._settings.examples
        plot_mixes(images, self.mixes[kind], columns, rows, heading, path)
