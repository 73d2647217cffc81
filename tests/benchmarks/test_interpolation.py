"""The benchmark of interpolation: both competitors compute the same style loss."""

from __future__ import annotations

import numpy as np

from benchmarks import interpolation
from latent_atlas.metrics.style import StyleMeasure
from latent_atlas.models import backbones
from tests.benchmarks.sizes import TINY


def test_the_loop_over_pairs_computes_the_same() -> None:
    random = np.random.default_rng(0)
    interpolations = random.integers(0, 256, (2, 4, 32, 32, 3), np.uint8)
    measure = StyleMeasure(backbones.load("efficientnet_lite0"), interpolation.LAYERS, 32)
    style = measure.changes(interpolations).style
    np.testing.assert_allclose(style, interpolation.by_pairs(measure, interpolations), rtol=1e-3)


def test_results() -> None:
    style, geodesics = interpolation.measure_interpolation(TINY)
    assert style.unit == "×"
    assert style.target
    assert len(style.rounds) == TINY.searches
    assert geodesics.name == "geodesics of 2 pairs"
    assert min(*style.rounds, *geodesics.rounds) > 0
