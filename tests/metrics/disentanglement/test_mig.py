"""Mutual information gap: a value by hand, and other implementations."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.mig import mig
from tests.metrics.disentanglement import joint_values


def test_mig_by_hand() -> None:
    # The first latent is the factor; the second agrees with it in 3 of 4 images.
    latent, factor = joint_values([[300, 100], [100, 300]])
    sample = Sample.of(np.stack([factor, latent], axis=1), factor[:, None], ["discrete"])
    second = (0.75 * np.log(1.5) + 0.25 * np.log(0.5)) / np.log(2)
    assert mig(sample, REFERENCE) == pytest.approx(1 - second)


def test_mig_of_a_single_latent_is_refused() -> None:
    latent, factor = joint_values([[300, 100], [100, 300]])
    sample = Sample.of(latent[:, None], factor[:, None], ["discrete"])
    with pytest.raises(ValueError, match="codes: found 1 columns, expected at least 2"):
        mig(sample, REFERENCE)


def test_mig_agrees_with_disentanglement_lib(reference_sample: Sample) -> None:
    assert mig(reference_sample, REFERENCE) == pytest.approx(0.5307247625547228)


def test_mig_agrees_with_disent(reference_sample: Sample) -> None:
    reference = pytest.importorskip("disent.metrics", reason="disent is not installed")
    codes, factors = reference_sample.codes, reference_sample.factors
    expected = reference._mig._compute_mig(codes.T, factors.T)["mig.discrete_score"]
    assert mig(reference_sample, REFERENCE) == pytest.approx(expected)
