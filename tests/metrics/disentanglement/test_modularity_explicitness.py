"""Modularity and explicitness: values by hand, and recorded numbers of disentanglement_lib."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.modularity_explicitness import explicitness, modularity
from tests.metrics.disentanglement import DISCRETE, joint_values


def test_modularity_by_hand() -> None:
    # The factors agree in 3 of 4 images; each latent is one of them.
    both = np.stack(joint_values([[300, 100], [100, 300]]), axis=1)
    other = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    expected = 1 - other**2 / np.log(2) ** 2
    assert modularity(Sample.of(both, both, DISCRETE), REFERENCE) == pytest.approx(expected)


def test_explicitness_of_two_gaussians_is_the_area_between_them() -> None:
    # Means 2 deviations apart: area = Φ(2 / √2) = 0.921.
    rng = np.random.default_rng(0)
    factor = rng.integers(2, size=12000).astype(float)
    codes = (2 * factor + rng.standard_normal(12000))[:, None]
    sample = Sample.of(codes, factor[:, None], ["discrete"])
    area = explicitness(sample, replace(REFERENCE, train=2000, test=10000), seed=0)
    assert area == pytest.approx(0.921, abs=0.01)


def test_explicitness_of_a_factor_with_unique_values_is_refused() -> None:
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(4, size=400), np.arange(400)], axis=1)
    factors[5, 1] = 6  # two equal values, so that every metric with a fixed factor has its pairs
    sample = Sample.of(rng.random((400, 2)), factors, DISCRETE)
    with pytest.raises(ValueError, match="factors column 1: no value is in both a training and"):
        explicitness(sample, replace(REFERENCE, train=200, test=100), seed=0)


def test_modularity_and_explicitness_agree_with_disentanglement_lib(
    reference_sample: Sample,
) -> None:
    assert modularity(reference_sample, REFERENCE) == pytest.approx(0.894661248566947)
    area = explicitness(reference_sample, REFERENCE, seed=0)
    assert area == pytest.approx(0.9522909991241074, abs=1e-4)
