"""Gaussian total correlation: a known covariance, and other implementations."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import Sample
from latent_atlas.metrics.disentanglement.sample import standardise
from latent_atlas.metrics.disentanglement.total_correlation import gaussian_total_correlation


def test_total_correlation_of_a_known_covariance() -> None:
    # Columns with exactly these correlations: −½ log det of [[1, .6, 0], [.6, 1, .3], [0, .3, 1]].
    rng = np.random.default_rng(0)
    white = standardise(rng.standard_normal((500, 3)), rng.standard_normal((500, 3)))
    white = np.linalg.qr(white - white.mean(axis=0))[0]
    correlations = np.array([[1, 0.6, 0], [0.6, 1, 0.3], [0, 0.3, 1]])
    codes = white @ np.linalg.cholesky(correlations).T * [1, 50, 1e-3] + [0, 3, -7]
    expected = -0.5 * np.log(1 - 0.6**2 - 0.3**2)
    assert gaussian_total_correlation(codes) == pytest.approx(expected, abs=1e-9)
    constant = np.column_stack([codes, np.full(500, 4.0)])
    assert gaussian_total_correlation(constant) == pytest.approx(expected, abs=1e-9)
    assert gaussian_total_correlation(codes[:, :1]) == 0
    dependent = np.column_stack([codes, codes[:, 0] - 2 * codes[:, 1]])
    assert gaussian_total_correlation(dependent) == np.inf


def test_codes_of_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="codes: found 99 images, expected at least 100"):
        gaussian_total_correlation(np.random.default_rng(0).random((99, 2)))


def test_total_correlation_agrees_with_disentanglement_lib(reference_sample: Sample) -> None:
    value = gaussian_total_correlation(reference_sample.codes)
    assert value == pytest.approx(0.05592355488880685)


def test_total_correlation_agrees_with_disent(reference_sample: Sample) -> None:
    reference = pytest.importorskip("disent.metrics", reason="disent is not installed")
    covariance = np.cov(reference_sample.codes.T)
    expected = reference._unsupervised._gaussian_total_correlation(covariance)
    assert gaussian_total_correlation(reference_sample.codes) == pytest.approx(expected)
