"""DCI: values by hand, known codes, and other implementations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.dci import concentration, dci_lasso, dci_trees
from latent_atlas.metrics.disentanglement.sample import standardise
from tests.metrics.disentanglement import DISCRETE

SETTINGS = replace(REFERENCE, train=1000, test=500, trees=10, learning_rate=0.3, alpha=0.1)


@pytest.mark.parametrize(
    ("importance", "expected"),
    [
        ([[1, 0], [0, 1]], 1.0),
        ([[1, 1], [1, 1]], 0.0),
        ([[0, 0], [0, 0]], 0.0),
        ([[0, 0], [0, 2]], 1.0),
        ([[3, 1], [0, 4]], 0.5 * (1 + (0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))) + 0.5),
    ],
)
def test_concentration_by_hand(importance: list[list[float]], expected: float) -> None:
    assert concentration(np.array(importance, dtype=float)) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_concentration_ignores_scale_and_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    importance = rng.random((5, 3)) ** 4
    value = concentration(importance)
    assert 0 <= value <= 1
    assert concentration(7 * importance) == pytest.approx(value)
    assert concentration(importance[rng.permutation(5)][:, rng.permutation(3)]) == pytest.approx(
        value
    )


def test_lasso_importances_are_shrunk_correlations() -> None:
    rng = np.random.default_rng(0)
    codes = np.linalg.qr(standardise(rng.random((4000, 3)), rng.random((4000, 3))))[0]
    codes = standardise(codes, codes)
    factors = np.stack([codes[:, 0], codes[:, 0] + codes[:, 1]], axis=1)
    sample = Sample.of(codes, factors, ["continuous"] * 2)
    dci = dci_lasso(sample, replace(SETTINGS, train=3000, test=1000), seed=0)
    shrunk = 1 / np.sqrt(2) - 0.1
    expected = [[0.9, shrunk], [0, shrunk], [0, 0]]
    np.testing.assert_allclose(dci.importance, expected, atol=0.03)
    assert dci.informativeness[0] == pytest.approx(1 - 0.1**2, abs=0.01)


@pytest.mark.parametrize("method", [dci_trees, dci_lasso])
def test_ordered_classes_are_predicted_from_one_latent(method: type) -> None:
    factors = np.random.default_rng(0).integers(5, size=(1500, 2)).astype(float)
    dci = method(Sample.of(factors, factors, DISCRETE), SETTINGS, 0)
    np.testing.assert_array_equal(dci.informativeness, 1)
    assert dci.disentanglement == pytest.approx(1)


def test_constant_codes_predict_the_largest_class() -> None:
    factors = np.random.default_rng(0).permutation(np.repeat([0.0, 1, 2], [150, 900, 450]))
    sample = Sample.of(np.ones((1500, 2)), np.stack([factors, factors], axis=1), DISCRETE)
    dci = dci_lasso(sample, SETTINGS, seed=0)
    np.testing.assert_allclose(dci.informativeness, 0.6, atol=0.05)


def test_dci_agrees_with_disentanglement_lib(reference_sample: Sample) -> None:
    dci = dci_trees(reference_sample, REFERENCE, seed=0)
    scores = (dci.disentanglement, dci.completeness, float(dci.informativeness.mean()))
    assert scores == pytest.approx((0.4711, 0.5037, 0.7423), abs=0.005)


def test_dci_agrees_with_disent(reference_sample: Sample) -> None:
    reference = pytest.importorskip("disent.metrics", reason="disent is not installed")
    train, test = reference_sample.split(REFERENCE.train, REFERENCE.test, seed=0)
    scores = reference._dci._compute_dci(
        train.codes.T, train.factors.T, test.codes.T, test.factors.T
    )
    metrics = dci_trees(reference_sample, REFERENCE, seed=0).metrics("trees")
    for name, key in (
        ("dci_trees_disentanglement", "dci.disentanglement"),
        ("dci_trees_completeness", "dci.completeness"),
        ("dci_trees_informativeness", "dci.informativeness_test"),
    ):
        assert metrics[name] == pytest.approx(scores[key], abs=0.005)
