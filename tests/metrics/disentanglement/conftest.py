"""A sample with numbers recorded from other implementations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import Sample


@pytest.fixture(scope="session")
def reference_sample() -> Sample:
    """Three factors of 3, 6 and 5 classes, a code that mixes them, and a collapsed latent.

    The numbers that tests call recorded are the output of disentanglement_lib 1.5 for this sample,
    split with our seed 0; its trees have no seed.
    """
    rng = np.random.default_rng(5)
    factors = np.stack([rng.integers(size, size=1500) for size in (3, 6, 5)], axis=1)
    mixing = np.array([[0.9, 0.1, 0], [0.1, 0.5, 0.2], [0, -0.1, 0.6]])
    codes = factors @ mixing + 0.3 * rng.standard_normal((1500, 3))
    codes = np.hstack([codes, 0.01 * rng.standard_normal((1500, 1))])
    return Sample.of(codes, factors, ["discrete"] * 3)


@pytest.fixture(scope="session")
def continuous_reference_sample(reference_sample: Sample) -> Sample:
    """`reference_sample` with its class numbers taken as continuous values."""
    return replace(reference_sample, kinds=("continuous",) * 3)
