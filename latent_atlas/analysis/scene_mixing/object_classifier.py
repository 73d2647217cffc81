"""A judge of single quadrants: which object, if any, is in the picture?

Features of a pretrained network and a multinomial logistic regression, trained on scenes drawn for
it alone. It sees sharp, whole pictures only, so what it recognises in a rendering is plain to see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from latent_atlas.analysis.scene_mixing.ground_truth import Classes, classes_of
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images
from latent_atlas.data.synthetic.scenes import scenes
from latent_atlas.data.tiles import COUNT, cut
from latent_atlas.models.backbones import Backbone

HELD_OUT = 0.2

_BATCH = 200


@dataclass(frozen=True)
class Judge:
    """A trained judge.

    Attributes:
        accuracy: share of quadrants of scenes held out from its training that it names right.
    """

    classifier: Pipeline
    backbone: Backbone
    size: int
    accuracy: float

    def see(self, images: Images) -> Classes:
        """N×4 classes of the quadrants of N×H×W×3 images."""
        features = features_of(self.backbone, _quadrants(images), self.size)
        seen: Classes = self.classifier.predict(features).reshape(-1, COUNT)
        return seen


def train(backbone: Backbone, size: int, count: int, side: tuple[int, int], seed: int) -> Judge:
    """Train a judge on the quadrants of `count` scenes.

    Args:
        backbone: whose features it looks at.
        size: side to which quadrants are stretched for the backbone.
        count: scenes to draw, of height and width `side`.
        side: of the pictures that are to be judged.
        seed: of the scenes.
    """
    factors = scenes.factors(count, seed)
    features = features_of(backbone, _quadrants(scenes.render(factors, *side)), size)
    labels = classes_of(factors).ravel()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    split = COUNT * round(count * (1 - HELD_OUT))
    classifier.fit(features[:split], labels[:split])
    accuracy = float(classifier.score(features[split:], labels[split:]))
    return Judge(classifier, backbone, size, accuracy)


@torch.no_grad()
def features_of(backbone: Backbone, images: Images, size: int) -> npt.NDArray[np.float32]:
    """float32 N×D features of N×H×W×C images."""
    parts = [
        backbone.features(to_images(torch.from_numpy(images[start : start + _BATCH])), size).numpy()
        for start in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def _quadrants(images: Images) -> Images:
    pieces = cut(images)
    return pieces.reshape(-1, *pieces.shape[2:])
