"""Curvature of parabolas, horseshoes, waves and noise."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.analysis.interpolation.curvature import curvatures, mean_curvature

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("points", [10, 4])
def test_the_curvature_of_a_parabola_is_known(points: int) -> None:
    u = np.linspace(-1, 1, points)
    profile = 5 * (2 - 1.5 * u**2)
    assert curvatures(profile[None])[0] == pytest.approx(-15 / profile.mean())
    assert np.isnan(curvatures(np.zeros((1, points)))[0])


def test_horseshoe_wave_and_noise_are_distinguished() -> None:
    u = np.linspace(-1, 1, 10)
    noise = RANDOM.normal(size=(40, 10)) * 0.2
    assert mean_curvature(2 - u**2 + noise, 0).shape == "horseshoe"
    wave = mean_curvature(1 + 3 * u**2 - 3 * u**4 + noise, 0)  # two maxima with a minimum between
    assert wave.shape == "wave"
    assert wave.low < wave.value < wave.high
    shapes = [mean_curvature(1 + RANDOM.normal(size=(40, 10)), 0, 200).shape for _ in range(40)]
    assert shapes.count("undecided") >= 34
