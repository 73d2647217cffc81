"""SAP: values by hand, and other implementations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.sample import standardise
from latent_atlas.metrics.disentanglement.sap import sap, score_matrix


def test_sap_by_hand() -> None:
    # Squared correlations 1 and 1/2 with a continuous factor, and 0 for a constant latent.
    rng = np.random.default_rng(0)
    factor, other = np.linalg.qr(standardise(rng.random((999, 2)), rng.random((999, 2))))[0].T
    codes = np.stack([factor, factor + other, np.ones(999)], axis=1)
    sample = Sample.of(codes, factor[:, None], ["continuous"])
    settings = replace(REFERENCE, train=989, test=10)
    scores = score_matrix(sample, settings, seed=0)[:, 0]
    np.testing.assert_allclose(scores, [1, 0.5, 0], atol=0.03)
    assert sap(sample, settings, seed=0) == pytest.approx(scores[0] - scores[1])


def test_sap_of_two_classes_is_accuracy_above_chance() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(2, size=3000).astype(float)
    codes = np.stack([2 * factor - 1, rng.standard_normal(3000)], axis=1)
    sample = Sample.of(codes, factor[:, None], ["discrete"])
    score = sap(sample, replace(REFERENCE, train=2000, test=1000), seed=0)
    assert score == pytest.approx(0.5, abs=0.06)


def test_sap_agrees_with_disentanglement_lib(
    reference_sample: Sample, continuous_reference_sample: Sample
) -> None:
    assert sap(reference_sample, REFERENCE, 0) == pytest.approx(0.27, abs=0.004)
    assert sap(continuous_reference_sample, REFERENCE, 0) == pytest.approx(0.7602912673452761)


def test_sap_agrees_with_disent(
    reference_sample: Sample, continuous_reference_sample: Sample
) -> None:
    reference = pytest.importorskip("disent.metrics", reason="disent is not installed")
    train, test = reference_sample.split(REFERENCE.train, REFERENCE.test, seed=0)
    arrays = (train.codes.T, train.factors.T, test.codes.T, test.factors.T)
    for sample, continuous in ((reference_sample, False), (continuous_reference_sample, True)):
        expected = reference._sap._compute_sap(*arrays, continuous)["sap.score"]
        assert sap(sample, REFERENCE, 0) == pytest.approx(expected, abs=0.004)
