"""Bootstrap intervals: a mean, statistics without a finite spread, and their shift."""

from __future__ import annotations

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import REFERENCE, Sample
from latent_atlas.metrics.disentanglement.bootstrap import bootstrap_intervals
from latent_atlas.metrics.disentanglement.mig import mig
from latent_atlas.metrics.disentanglement.sample import Ints
from latent_atlas.metrics.disentanglement.total_correlation import gaussian_total_correlation


def test_interval_of_a_mean_is_about_two_standard_errors_each_way() -> None:
    values = np.random.default_rng(0).standard_normal(2500)

    def mean(rows: Ints) -> dict[str, float]:
        return {"mean": float(values[rows].mean()), "infinite": float("inf")}

    bounds = bootstrap_intervals(mean, 2500, 0, resamples=2000, level=0.95)
    low, high = bounds["mean"]
    error = values.std() / np.sqrt(2500)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bounds["infinite"] == (np.inf, np.inf)
    assert bounds == bootstrap_intervals(mean, 2500, 0, resamples=2000, level=0.95)
    with pytest.raises(ValueError, match=r"found 1 resamples at level 0\.95"):
        bootstrap_intervals(mean, 2500, 0, resamples=1, level=0.95)


def test_an_interval_is_unbounded_if_resamples_are_infinite() -> None:
    # A resample of 300 images has about 190 distinct ones, too few for 250 latents.
    codes = np.random.default_rng(0).standard_normal((300, 250))

    def total(rows: Ints) -> dict[str, float]:
        return {"total": gaussian_total_correlation(codes[rows])}

    assert np.isfinite(gaussian_total_correlation(codes))
    bounds = bootstrap_intervals(total, 300, 0, resamples=5, level=0.95)
    assert bounds["total"] == (-np.inf, np.inf)


def test_interval_of_information_contains_its_estimate() -> None:
    # Plain percentiles do not: repeated images raise the information of every latent.
    rng = np.random.default_rng(0)
    factors = rng.random((500, 2))
    codes = factors + 0.1 * rng.standard_normal((500, 2))
    sample = Sample.of(codes, factors, ["continuous"] * 2)

    def gap(rows: Ints) -> dict[str, float]:
        return {"mig": mig(sample.take(rows), REFERENCE)}

    low, high = bootstrap_intervals(gap, 500, 0, resamples=100, level=0.95)["mig"]
    assert low < mig(sample, REFERENCE) < high
    assert high - low < 0.1
