"""Our metrics beside other people's, on the same arrays."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import (
    Kind,
    dci_trees,
    explicitness,
    gaussian_total_correlation,
    mig,
    modularity,
    sap,
)
from latent_atlas.metrics.disentanglement.sample import Floats, Sample, check

DISCRETE: list[Kind] = ["discrete"] * 3
CONTINUOUS: list[Kind] = ["continuous"] * 3
SPLIT = {"train": 10_000, "test": 5_000}


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Three factors of 3, 6 and 5 classes, a code that mixes them, and a collapsed latent."""
    rng = np.random.default_rng(5)
    factors = np.stack([rng.integers(size, size=1500) for size in (3, 6, 5)], axis=1)
    mixing = np.array([[0.9, 0.1, 0], [0.1, 0.5, 0.2], [0, -0.1, 0.6]])
    codes = factors @ mixing + 0.3 * rng.standard_normal((1500, 3))
    return check(np.hstack([codes, 0.01 * rng.standard_normal((1500, 1))]), factors, DISCRETE)


def _trees(codes: Floats, factors: Floats) -> tuple[float, float, float]:
    dci = dci_trees(codes, factors, DISCRETE, 0, **SPLIT, trees=100, depth=3, learning_rate=0.1)
    return dci.disentanglement, dci.completeness, float(dci.informativeness.mean())


def test_recorded_numbers_of_disentanglement_lib(sample: Sample) -> None:
    """What release 1.5 printed for `sample`, split by our seed 0; its trees have no seed."""
    codes, factors = sample.codes, sample.factors
    assert mig(codes, factors, DISCRETE, bins=20) == pytest.approx(0.5307247625547228)
    assert modularity(codes, factors, DISCRETE, bins=20) == pytest.approx(0.894661248566947)
    assert gaussian_total_correlation(codes) == pytest.approx(0.05592355488880685)
    discrete = sap(codes, factors, DISCRETE, 0, **SPLIT, penalty=0.01)
    assert discrete == pytest.approx(0.27, abs=0.004)
    continuous = sap(codes, factors, CONTINUOUS, 0, **SPLIT, penalty=0.01)
    assert continuous == pytest.approx(0.7602912673452761)
    area = explicitness(codes, factors, DISCRETE, 0, bins=20, **SPLIT)
    assert area == pytest.approx(0.9522909991241074, abs=1e-4)
    expected = (0.4711, 0.5037, 0.7423)
    assert _trees(codes, factors) == pytest.approx(expected, abs=0.005)


def test_agreement_with_disent(sample: Sample) -> None:
    """The metrics of the maintained `disent`, where it is installed (`pip install disent`)."""
    reference = pytest.importorskip("disent.metrics", reason="disent is not installed")
    codes, factors = sample.codes, sample.factors
    mus, ys = codes.T, factors.T
    theirs = reference._mig._compute_mig(mus, ys)["mig.discrete_score"]
    assert mig(codes, factors, DISCRETE, bins=20) == pytest.approx(theirs)
    theirs = reference._unsupervised._gaussian_total_correlation(np.cov(mus))
    assert gaussian_total_correlation(codes) == pytest.approx(theirs)
    train, test = sample.split(**SPLIT, seed=0)
    arrays = (train.codes.T, train.factors.T, test.codes.T, test.factors.T)
    for kinds, continuous in ((DISCRETE, False), (CONTINUOUS, True)):
        theirs = reference._sap._compute_sap(*arrays, continuous)["sap.score"]
        ours = sap(codes, factors, kinds, 0, **SPLIT, penalty=0.01)
        assert ours == pytest.approx(theirs, abs=0.004)
    scores = reference._dci._compute_dci(*arrays)
    expected = [scores[f"dci.{key}"] for key in ("disentanglement", "completeness",
                                                "informativeness_test")]  # fmt: skip
    assert _trees(codes, factors) == pytest.approx(expected, abs=0.005)
