"""All metrics on codes with a known answer: identity, rotated, duplicated, constant, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from latent_atlas.metrics.disentanglement import (
    QUICK,
    REFERENCE,
    Kind,
    Sample,
    Settings,
    Summary,
    dominant_factors,
    summarise,
)
from latent_atlas.metrics.disentanglement.mig import mig
from latent_atlas.metrics.disentanglement.sample import Floats
from latent_atlas.metrics.disentanglement.summary import RESAMPLED, _with_intervals
from latent_atlas.util import parallel

Summaries = dict[tuple[str, Kind], Summary]

IMAGES, CLASSES = 3000, 6
NAMES = ["x", "y", "r", "hue"]
SETTINGS = replace(QUICK, trees=20, alpha=0.1, resamples=10)


def _factors(kind: Kind) -> Floats:
    """Four independent factors of mean about 0 and deviation about 1."""
    uniform = np.random.default_rng(1).random((IMAGES, 4))
    if kind == "discrete":
        uniform = (np.floor(uniform * CLASSES) + 0.5) / CLASSES
    return (uniform - 0.5) * np.sqrt(12)


def _codes(name: str, factors: Floats) -> Floats:
    a, b, c, d = factors.T
    noise = np.random.default_rng(2).standard_normal((IMAGES, 4))
    return {
        "identity": factors,
        "permuted": factors[:, [2, 0, 3, 1]] * [1, -1, 1, -1],
        "rotated": np.stack([a + b, a - b, c + d, c - d], axis=1) / np.sqrt(2),
        "duplicated": np.concatenate([factors, factors], axis=1),
        "constant": np.full((IMAGES, 4), 0.3),
        "noise": noise,
    }[name]


def _summary(name: str, kind: Kind) -> Summary:
    factors = _factors(kind)
    values = factors if kind == "continuous" else np.floor(factors * CLASSES / np.sqrt(12))
    sample = Sample.of(_codes(name, factors), values, [kind] * 4, NAMES)
    return summarise(sample, SETTINGS, seed=0)


@pytest.fixture(scope="module")
def summaries() -> Summaries:
    kinds: tuple[Kind, ...] = ("continuous", "discrete")
    names = ("identity", "permuted", "rotated", "duplicated", "constant", "noise")
    return {(name, kind): _summary(name, kind) for name in names for kind in kinds}


# The ranges hold for continuous and discrete factors alike, unless a row names its kind.
# 45° rotation: each of two latents contributes to two of four factors alike, so
# D = C = 1 − log 2 / log 4 and modularity is 1 − 1/3. A fixed factor appears in either latent of a
# pair: half the votes. Duplication: C = 1 − log 2 / log 8. Chance: a quarter for four factors.
EXPECTED = {
    "identity": {
        "mig": (0.97, 1.0),
        "modularity": (0.99, 1.0),
        "sap continuous": (0.99, 1.0),
        "sap discrete": (0.15, 0.6),  # six ordered classes are not linearly separable from one
        "explicitness": (0.95, 1.0),
        "factor_vae_score": (1.0, 1.0),
        "beta_vae_score": (0.99, 1.0),
        "dci_trees_disentanglement": (0.97, 1.0),
        "dci_trees_completeness": (0.97, 1.0),
        "dci_trees_informativeness": (0.98, 1.0),
        "dci_lasso_disentanglement": (0.99, 1.0),
        "dci_lasso_completeness": (0.99, 1.0),
        "dci_lasso_informativeness": (0.98, 1.0),
        "gaussian_total_correlation": (0.0, 0.01),
    },
    "rotated": {
        "mig": (0.0, 0.04),
        "modularity": (0.64, 0.70),
        "sap": (0.0, 0.05),
        "explicitness": (0.95, 1.0),
        "factor_vae_score": (0.45, 0.56),
        "beta_vae_score": (0.45, 0.56),
        "dci_trees_disentanglement": (0.42, 0.52),
        "dci_trees_completeness": (0.42, 0.52),
        "dci_trees_informativeness": (0.97, 1.0),
        "dci_lasso_disentanglement": (0.48, 0.52),
        "dci_lasso_completeness": (0.48, 0.52),
        "dci_lasso_informativeness continuous": (0.97, 1.0),
        "gaussian_total_correlation": (0.0, 0.01),
    },
    "duplicated": {
        "mig": (0.0, 0.0),
        "modularity": (0.99, 1.0),
        "sap": (0.0, 0.0),
        "explicitness": (0.95, 1.0),
        "factor_vae_score": (1.0, 1.0),
        "beta_vae_score": (0.99, 1.0),
        "dci_trees_disentanglement": (0.97, 1.0),
        "dci_trees_completeness": (0.63, 0.80),
        "dci_lasso_disentanglement": (0.99, 1.0),
        "gaussian_total_correlation": (np.inf, np.inf),
    },
    "constant": {
        "mig": (0.0, 0.0),
        "modularity": (0.0, 0.0),
        "sap": (0.0, 0.0),
        "explicitness": (0.5, 0.5),
        "factor_vae_score": (0.0, 0.0),
        "beta_vae_score": (0.22, 0.28),
        "dci_trees_disentanglement": (0.0, 0.0),
        "dci_trees_completeness": (0.0, 0.0),
        "dci_trees_informativeness continuous": (0.0, 0.0),
        "dci_trees_informativeness discrete": (0.12, 0.21),
        "dci_lasso_disentanglement": (0.0, 0.0),
        "dci_lasso_completeness": (0.0, 0.0),
        "dci_lasso_informativeness continuous": (0.0, 0.0),
        "dci_lasso_informativeness discrete": (0.12, 0.21),
        "gaussian_total_correlation": (0.0, 0.0),
    },
    "noise": {
        "mig": (0.0, 0.01),
        "modularity continuous": (0.0, 0.3),
        "sap": (0.0, 0.03),
        "explicitness": (0.47, 0.53),
        "factor_vae_score": (0.22, 0.30),
        "beta_vae_score": (0.22, 0.30),
        "dci_trees_disentanglement": (0.0, 0.1),
        "dci_trees_completeness": (0.0, 0.1),
        "dci_trees_informativeness continuous": (0.0, 0.02),
        "dci_trees_informativeness discrete": (0.12, 0.21),
        "dci_lasso_disentanglement": (0.0, 0.0),
        "dci_lasso_informativeness continuous": (0.0, 0.01),
        "gaussian_total_correlation": (0.0, 0.01),
    },
}
EXPECTED["permuted"] = EXPECTED["identity"]


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_metrics_of_known_codes(summaries: Summaries, name: str, kind: Kind) -> None:
    metrics = summaries[name, kind].metrics
    for key, (low, high) in EXPECTED[name].items():
        metric, *only = key.split()
        if not only or only == [kind]:
            assert low - 1e-9 <= metrics[metric] <= high + 1e-9, (metric, metrics[metric])


def test_metrics_are_numbers_with_intervals_around_them(summaries: Summaries) -> None:
    for summary in summaries.values():
        metrics = summary.metrics
        assert list(metrics) == sorted(metrics)
        assert all(type(value) is float for value in metrics.values())
        for name in (
            "mig",
            "modularity",
            "gaussian_total_correlation",
            "dci_lasso_disentanglement",
            "dci_lasso_completeness",
        ):
            assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"], name


def test_order_of_latents_does_not_matter(summaries: Summaries) -> None:
    straight = summaries["identity", "continuous"].table.set_index(["latent", "factor"])
    permuted = summaries["permuted", "continuous"].table.set_index(["latent", "factor"])
    for latent, old in enumerate([2, 0, 3, 1]):
        for column in ("dci_lasso", "sap"):
            np.testing.assert_allclose(
                permuted.loc[latent, column], straight.loc[old, column], atol=1e-9
            )


def test_table_has_a_row_for_each_latent_and_factor(summaries: Summaries) -> None:
    table = summaries["duplicated", "discrete"].table
    assert list(table.columns) == [
        "latent",
        "factor",
        "mutual_information",
        "normalised_mutual_information",
        "dci_trees",
        "dci_lasso",
        "sap",
    ]
    assert list(table["latent"]) == [latent for latent in range(8) for _ in range(4)]
    assert list(table["factor"]) == NAMES * 8
    own = table["latent"] % 4 == [NAMES.index(name) for name in table["factor"]]
    assert table.loc[own, "normalised_mutual_information"].min() > 0.99
    assert table.loc[~own, "normalised_mutual_information"].abs().max() < 0.01
    np.testing.assert_allclose(table.groupby("factor")["dci_trees"].sum(), 1.0)


def test_dominant_factors_are_those_of_each_latent(summaries: Summaries) -> None:
    for kind in ("continuous", "discrete"):
        dominant = dominant_factors(summaries["permuted", kind].table, least=0.1)
        assert list(dominant["latent"]) == [0, 1, 2, 3]
        assert list(dominant["factor"]) == ["r", "x", "hue", "y"]
        assert dominant["normalised_mutual_information"].min() > 0.95
        for name in ("constant", "noise"):
            dominant = dominant_factors(summaries[name, kind].table, least=0.1)
            assert set(dominant["factor"]) == {"none"}
    rotated = summaries["rotated", "continuous"].table
    assert dominant_factors(rotated, least=0.1)["normalised_mutual_information"].max() < 0.5
    assert list(dominant_factors(rotated, least=0.6)["factor"]) == ["none"] * 4


def _arrays() -> tuple[Floats, Floats, list[Kind]]:
    rng = np.random.default_rng(3)
    factors = np.stack([rng.random(400), rng.integers(3, size=400)], axis=1)
    codes = factors @ [[1, 0.3], [0, 1]] + 0.1 * rng.standard_normal((400, 2))
    return codes, factors, ["continuous", "discrete"]


def _metrics(settings: Settings = SETTINGS, seed: int = 0) -> dict[str, float]:
    return summarise(Sample.of(*_arrays()), settings, seed).metrics


def test_metrics_follow_from_the_seed() -> None:
    sample = Sample.of(*_arrays())
    codes, factors = sample.codes.copy(), sample.factors.copy()
    first = summarise(sample, SETTINGS, 0).metrics
    assert first == summarise(sample, SETTINGS, 0).metrics
    assert first != summarise(sample, SETTINGS, 1).metrics
    np.testing.assert_array_equal(codes, sample.codes)
    np.testing.assert_array_equal(factors, sample.factors)


def test_metrics_do_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def watched(sample: Sample, settings: Settings) -> float:
        pools = threadpool_info()
        threads.update(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
        return float(np.linalg.eigvalsh(np.corrcoef(sample.codes, rowvar=False))[0])

    monkeypatch.setitem(RESAMPLED, "smallest_eigenvalue", watched)
    summaries = []
    for cores in (1, 2):
        monkeypatch.setattr(parallel, "cores", lambda cores=cores: cores)
        with threadpool_limits(cores):  # numpy's
            summaries.append(_summary("noise", "discrete"))
    assert summaries[0].metrics == summaries[1].metrics
    pd.testing.assert_frame_equal(summaries[0].table, summaries[1].table, check_exact=True)
    # A sum over several threads differs in its last bits, if not with these codes.
    assert threads == {1}


def test_metrics_are_computed_in_float64() -> None:
    codes, factors, kinds = _arrays()
    single = codes.astype(np.float32)
    first = Sample.of(single, factors, kinds)
    second = Sample.of(single.astype(np.float64), factors.tolist(), kinds)
    assert summarise(first, SETTINGS, 0).metrics == summarise(second, SETTINGS, 0).metrics


def test_points_limit_the_images_for_information_only() -> None:
    few, every = _metrics(replace(SETTINGS, points=200)), _metrics(replace(SETTINGS, points=400))
    assert every["mig"] == mig(Sample.of(*_arrays()), SETTINGS)
    assert few["mig"] != every["mig"]
    assert few["dci_lasso_completeness"] == every["dci_lasso_completeness"]


def test_metrics_are_finite_if_a_resample_lacks_a_rare_class() -> None:
    codes, factors, kinds = _arrays()
    factors[:, 1] = np.arange(400) % 80 == 0  # five images, about two of them held out
    sample = Sample.of(codes, factors, kinds)
    metrics = summarise(sample, replace(SETTINGS, resamples=300), 0).metrics
    assert np.isfinite(list(metrics.values())).all()


def test_intervals_stay_in_the_range_of_their_metric() -> None:
    sample = Sample.of(*_arrays())

    def metrics(part: Sample, settings: Settings) -> dict[str, float]:
        noise = float(part.codes.mean() - sample.codes.mean())
        return {"mig": 1 + noise, "modularity": noise, "gaussian_total_correlation": 1 + noise}

    values = _with_intervals(metrics, sample, SETTINGS, 0)
    assert values["mig_low"] < values["mig_high"] == 1
    assert 0 == values["modularity_low"] < values["modularity_high"]
    assert values["gaussian_total_correlation_high"] > 1


def test_quick_differs_from_the_reference_in_its_trees_only() -> None:
    assert replace(QUICK, trees=100, learning_rate=0.1) == REFERENCE
    assert (REFERENCE.points, REFERENCE.train, REFERENCE.test) == (10_000, 10_000, 5_000)
    assert (REFERENCE.bins, REFERENCE.batch, REFERENCE.penalty) == (20, 64, 0.01)


def test_a_single_latent_is_refused() -> None:
    codes, factors, kinds = _arrays()
    with pytest.raises(ValueError, match="codes: found 1 columns, expected at least 2"):
        summarise(Sample.of(codes[:, :1], factors, kinds), SETTINGS, 0)
