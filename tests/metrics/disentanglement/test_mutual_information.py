"""Mutual information: known joint distributions, binning, and the correction for chance."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import Kind, Sample
from latent_atlas.metrics.disentanglement.mutual_information import (
    mutual_information,
    normalised_mutual_information,
)
from latent_atlas.metrics.disentanglement.sample import Floats
from tests.metrics.disentanglement import joint_values


def single(latent: Floats, factor: Floats, kind: Kind = "discrete") -> Sample:
    """A sample of one latent and one factor."""
    return Sample.of(latent[:, None], factor[:, None], [kind])


def test_mutual_information_of_a_known_joint() -> None:
    sample = single(*joint_values([[300, 100], [100, 300]]))
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    values = mutual_information(sample, bins=20)
    assert values.shape == (1, 1)
    assert values[0, 0] == pytest.approx(expected, abs=1e-12)


def test_mutual_information_of_independent_values_is_exactly_zero() -> None:
    sample = single(*joint_values([[40, 80], [60, 120], [20, 40]]))
    assert mutual_information(sample, bins=20) == 0


def test_bins_are_equal_intervals_between_the_extremes() -> None:
    # Two bins of [0, 10]: the limit lies between 4.9 and 5, and decides the factor.
    latent = np.array([0.0, 4.9] * 50 + [5.0, 10.0] * 50)
    sample = single(latent, (latent >= 5).astype(float))
    assert mutual_information(sample, bins=2)[0, 0] == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="bins: found 1, expected at least 2"):
        mutual_information(sample, bins=1)


def test_continuous_factors_are_binned_like_latents() -> None:
    # Its four values become two classes.
    latent = np.array([0.0, 4.9] * 50 + [5.0, 10.0] * 50)
    values = mutual_information(single(latent, latent, "continuous"), bins=2)
    assert values[0, 0] == pytest.approx(np.log(2))


def test_normalised_mutual_information_is_corrected_for_chance() -> None:
    rng = np.random.default_rng(0)
    factor = rng.random(200)
    codes = np.stack([factor, rng.random(200), np.zeros(200)], axis=1)
    sample = Sample.of(codes, factor[:, None], ["continuous"])
    values = normalised_mutual_information(sample, bins=20)[:, 0]
    raw = mutual_information(sample, bins=20)[:, 0]
    assert values[0] == pytest.approx(1)
    assert raw[1] / raw[0] > 0.2  # at 200 images, an unrelated latent has as much by chance
    assert abs(values[1]) < 0.1
    assert values[2] == 0


def test_normalised_mutual_information_of_random_latents_averages_zero() -> None:
    rng = np.random.default_rng(1)
    sample = Sample.of(rng.random((300, 40)), rng.random((300, 3)), ["continuous"] * 3)
    values = normalised_mutual_information(sample, bins=10)
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(values.size)
