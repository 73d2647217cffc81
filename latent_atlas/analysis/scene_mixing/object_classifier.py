"""Classifier of the object in a quadrant of a drawn scene.

A multinomial logistic regression on the features of a pretrained network, trained on sharp drawings
only. An object that it recognises in a rendering is therefore clearly visible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latent_atlas.analysis.scene_mixing.ground_truth import Classes, quadrant_classes
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.data.synthetic.scenes import scenes
from latent_atlas.data.tiles import QUADRANTS, cut_tiles
from latent_atlas.metrics.tolerance import Metric
from latent_atlas.models.backbones import Backbone

METRICS = {"accuracy": Metric("higher", 0.02)}

HELD_OUT = 0.2

_BATCH = 200


@dataclass(frozen=True)
class ObjectClassifier:
    """A trained classifier of the objects in quadrants.

    Attributes:
        pipeline: from features to classes.
        backbone: the network of the features.
        size: side to which quadrants are resized for the network.
        accuracy: share of correct predictions for quadrants of held-out scenes.
    """

    pipeline: Pipeline
    backbone: Backbone
    size: int
    accuracy: float

    def classify(self, images: Images) -> Classes:
        """Predict N×4 classes for the quadrants of N×H×W×3 images."""
        features = backbone_features(self.backbone, _quadrants(images), self.size)
        classes: Classes = self.pipeline.predict(features).reshape(-1, QUADRANTS)
        return classes


def new_object_pipeline() -> Pipeline:
    """An untrained multinomial logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def train_object_classifier(
    backbone: Backbone, size: int, count: int, shape: tuple[int, int], seed: int
) -> ObjectClassifier:
    """Train a classifier on the quadrants of newly drawn scenes.

    Args:
        backbone: the network of the features.
        size: side to which quadrants are resized for the network.
        count: number of scenes, of which a fifth is held out.
        shape: height and width of the scenes, as of the images to classify.
        seed: of the scenes.
    """
    factors = scenes.factors(count, seed)
    features = backbone_features(backbone, _quadrants(scenes.render(factors, *shape)), size)
    labels = quadrant_classes(factors).ravel()
    pipeline = new_object_pipeline()
    split = QUADRANTS * round(count * (1 - HELD_OUT))
    pipeline.fit(features[:split], labels[:split])
    accuracy = float(pipeline.score(features[split:], labels[split:]))
    return ObjectClassifier(pipeline, backbone, size, accuracy)


@torch.no_grad()
def backbone_features(backbone: Backbone, images: Images, size: int) -> npt.NDArray[np.float32]:
    """float32 N×D features of N×H×W×C images, resized to `size`."""
    parts = [
        backbone.features(to_images(torch.from_numpy(images[start : start + _BATCH])), size).numpy()
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def _quadrants(images: Images) -> Images:
    """N×H×W×C images to 4·N×H/2×W/2×C quadrants, image by image."""
    pieces = cut_tiles(images)
    return pieces.reshape(-1, *pieces.shape[2:])
