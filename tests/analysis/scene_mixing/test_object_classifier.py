"""The object classifier on drawn scenes and on noise."""

from __future__ import annotations

import numpy as np

from latent_atlas.analysis.scene_mixing.ground_truth import quadrant_classes
from latent_atlas.analysis.scene_mixing.object_classifier import train_object_classifier
from latent_atlas.data.synthetic.scenes import scenes
from latent_atlas.models import backbones


def test_the_classifier_recognises_objects_and_not_noise() -> None:
    backbone = backbones.load("efficientnet_lite0")
    classifier = train_object_classifier(backbone, 64, 150, (64, 64), 7)
    assert classifier.accuracy > 0.75
    factors = scenes.factors(20, 99)
    predicted = classifier.classify(scenes.render(factors, 64, 64))
    assert predicted.shape == (20, 4)
    assert (predicted == quadrant_classes(factors)).mean() > 0.7
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    assert (classifier.classify(noise) == quadrant_classes(factors)).mean() < 0.5
