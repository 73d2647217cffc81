"""The benchmark of paths: both contenders find the same style loss."""

from __future__ import annotations

import numpy as np

from benchmarks import interpolation
from latent_atlas.metrics.style import Measure
from latent_atlas.models import backbones
from tests.benchmarks.sizes import TINY


def test_the_loop_over_pairs_finds_the_same() -> None:
    random = np.random.default_rng(0)
    walks = random.integers(0, 256, (2, 4, 32, 32, 3), np.uint8)
    measure = Measure(backbones.load("efficientnet_lite0"), interpolation.LAYERS, 32)
    found = measure.along(walks).style
    np.testing.assert_allclose(found, interpolation.by_pairs(measure, walks), rtol=1e-3)


def test_figures() -> None:
    style, geodesics = interpolation.measure(TINY)
    assert style.unit == "×"
    assert style.target
    assert len(style.rounds) == TINY.searches
    assert geodesics.name == "geodesics of 2 pairs"
    assert min(*style.rounds, *geodesics.rounds) > 0
