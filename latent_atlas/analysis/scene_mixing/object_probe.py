"""Linear probe of codes: the object in a quadrant, from the cells of that quadrant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from latent_atlas.analysis.scene_mixing.ground_truth import quadrant_classes
from latent_atlas.analysis.scene_mixing.mixes import grid_of
from latent_atlas.analysis.scene_mixing.object_classifier import new_object_pipeline
from latent_atlas.data.store import Store
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.models.mixing import cells
from latent_atlas.training.checkpoint import TrainedRun

METRICS = {"object_probe_accuracy": Metric("higher", 0.1)}


def object_probe_accuracy(
    run: TrainedRun, store: Store, train_images: int, test_images: int
) -> float:
    """The share of quadrants whose object a linear classifier predicts from their cells.

    One multinomial logistic regression serves all quadrants. It is trained on training scenes and
    tested on validation scenes. An empty quadrant is a class of its own.

    Args:
        run: a run of `latent_atlas.analysis.scene_mixing.mixes.open_mixable`.
        store: drawn scenes.
        train_images: maximum number of training scenes.
        test_images: maximum number of validation scenes.
    """
    features, classes = [], []
    for split, most in (("train", train_images), ("valid", test_images)):
        rows = store.rows(split)[:most]
        features.append(_quadrant_codes(run, run.encode(store.images[rows])))
        classes.append(quadrant_classes(store.index.iloc[rows]).ravel())
    classifier = new_object_pipeline()
    classifier.fit(features[0], classes[0])
    return float(classifier.score(features[1], classes[1]))


def _quadrant_codes(run: TrainedRun, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """N codes to 4·N rows with the cells of one quadrant each, image by image."""
    quadrant = cells(grid_of(run)).numpy()
    order = np.argsort(quadrant, kind="stable")
    parts = codes.reshape(len(codes), len(quadrant), -1)[:, order]
    return parts.reshape(len(codes) * (int(quadrant.max()) + 1), -1)
