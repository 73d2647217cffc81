"""Every metric on codes whose answer is known: good, mixed, doubled, dead and random ones."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from latent_atlas.metrics.disentanglement import (
    QUICK,
    REFERENCE,
    Examination,
    Kind,
    Settings,
    examine,
    holdings,
    matrices,
    measure,
    mig,
    summary,
)
from latent_atlas.metrics.disentanglement.sample import Floats, Sample, check
from latent_atlas.metrics.disentanglement.summary import _bounds
from latent_atlas.metrics.disentanglement.udr import total_correlation
from latent_atlas.util.parallel import in_order

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


def _examine(name: str, kind: Kind) -> Examination:
    factors = _factors(kind)
    values = factors if kind == "continuous" else np.floor(factors * CLASSES / np.sqrt(12))
    return examine(_codes(name, factors), values, [kind] * 4, NAMES, 0, SETTINGS, quiet=True)


@pytest.fixture(scope="module")
def examined() -> dict[tuple[str, Kind], Examination]:
    kinds: tuple[Kind, ...] = ("continuous", "discrete")
    names = ("identity", "permuted", "rotated", "duplicated", "constant", "noise")
    return {(name, kind): _examine(name, kind) for name in names for kind in kinds}


# The ranges hold for continuous and discrete factors alike, unless a row names its kind.
# 45° rotation: each of two latents serves two of four factors alike, so D = C = 1 − log 2 / log 4
# and modularity is 1 − 1/3; a fixed factor shows in either latent of a pair: half the votes.
# Doubling: C = 1 − log 2 / log 8. Chance: a quarter for four factors.
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
def test_known_codes(examined: dict[tuple[str, Kind], Examination], name: str, kind: Kind) -> None:
    metrics = examined[name, kind].metrics
    for key, (low, high) in EXPECTED[name].items():
        metric, *only = key.split()
        if not only or only == [kind]:
            assert low - 1e-9 <= metrics[metric] <= high + 1e-9, (metric, metrics[metric])


def test_metrics_are_numbers_with_intervals_around_them(
    examined: dict[tuple[str, Kind], Examination],
) -> None:
    for examination in examined.values():
        metrics = examination.metrics
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


def test_order_of_latents_does_not_matter(
    examined: dict[tuple[str, Kind], Examination],
) -> None:
    straight = examined["identity", "continuous"].table.set_index(["latent", "factor"])
    permuted = examined["permuted", "continuous"].table.set_index(["latent", "factor"])
    for latent, old in enumerate([2, 0, 3, 1]):
        for column in ("lasso", "alone"):
            np.testing.assert_allclose(
                permuted.loc[latent, column], straight.loc[old, column], atol=1e-9
            )


def test_table_has_a_row_for_each_latent_and_factor(
    examined: dict[tuple[str, Kind], Examination],
) -> None:
    table = examined["duplicated", "discrete"].table
    assert list(table.columns) == [
        "latent",
        "factor",
        "mutual_information",
        "share",
        "trees",
        "lasso",
        "alone",
    ]
    assert list(table["latent"]) == [latent for latent in range(8) for _ in range(4)]
    assert list(table["factor"]) == NAMES * 8
    own = table["latent"] % 4 == [NAMES.index(name) for name in table["factor"]]
    assert table.loc[own, "share"].min() > 0.99
    assert table.loc[~own, "share"].abs().max() < 0.01
    np.testing.assert_allclose(table.groupby("factor")["trees"].sum(), 1.0)


def test_holdings_name_each_latents_factor(
    examined: dict[tuple[str, Kind], Examination],
) -> None:
    for kind in ("continuous", "discrete"):
        held = holdings(examined["permuted", kind].table, least=0.1)
        assert list(held["latent"]) == [0, 1, 2, 3]
        assert list(held["factor"]) == ["r", "x", "hue", "y"]
        assert held["share"].min() > 0.95
        for dead in ("constant", "noise"):
            assert set(holdings(examined[dead, kind].table, least=0.1)["factor"]) == {"nothing"}
    mixed = holdings(examined["rotated", "continuous"].table, least=0.1)
    assert mixed["share"].max() < 0.5
    assert list(holdings(examined["rotated", "continuous"].table, least=0.6)["factor"]) == (
        ["nothing"] * 4
    )


def _small() -> tuple[Floats, Floats, list[Kind]]:
    rng = np.random.default_rng(3)
    factors = np.stack([rng.random(400), rng.integers(3, size=400)], axis=1)
    return factors @ [[1, 0.3], [0, 1]] + 0.1 * rng.standard_normal((400, 2)), factors, [
        "continuous",
        "discrete",
    ]  # fmt: skip


def test_a_seed_gives_the_same_numbers_and_another_others() -> None:
    codes, factors, kinds = _small()
    kept = codes.copy(), factors.copy()
    first = measure(codes, factors, kinds, 0, SETTINGS, quiet=True)
    assert first == measure(codes, factors, kinds, 0, SETTINGS, quiet=True)
    assert first != measure(codes, factors, kinds, 1, SETTINGS, quiet=True)
    np.testing.assert_array_equal(codes, kept[0])
    np.testing.assert_array_equal(factors, kept[1])


def test_numbers_do_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def watched(codes: Floats) -> float:
        pools = threadpool_info()
        threads.update(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
        return total_correlation(codes)

    monkeypatch.setattr(summary, "total_correlation", watched)
    found = []
    for cores in (1, 2):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", str(cores))  # joblib's
        with threadpool_limits(cores):  # numpy's
            found.append(_examine("noise", "discrete"))
    assert found[0].metrics == found[1].metrics
    pd.testing.assert_frame_equal(found[0].table, found[1].table, check_exact=True)
    # A sum that is shared among threads differs in its last bits, if not with these codes.
    assert threads == {1}


def test_work_of_all_cores_comes_in_order_and_its_fault_is_told() -> None:
    def later_is_faster(number: int) -> int:
        time.sleep((9 - number) / 100)
        return number

    assert by_all_cores(later_is_faster, (number for number in range(10))) == list(range(10))
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // number, range(10), threads=True))


def test_numbers_are_computed_in_float64_whatever_comes() -> None:
    codes, factors, kinds = _small()
    single = codes.astype(np.float32)
    assert measure(single, factors, kinds, 0, SETTINGS, quiet=True) == measure(
        single.astype(np.float64), factors.tolist(), kinds, 0, SETTINGS, quiet=True
    )


def test_matrices_and_measure_agree_with_examine() -> None:
    codes, factors, kinds = _small()
    whole = examine(codes, factors, kinds, ["x", "shape"], 0, SETTINGS, quiet=True)
    assert whole.metrics == measure(codes, factors, kinds, 0, SETTINGS, quiet=True)
    table = matrices(codes, factors, kinds, ["x", "shape"], 0, SETTINGS, quiet=True)
    pd.testing.assert_frame_equal(whole.table, table)


def test_no_more_points_are_taken_than_asked_for() -> None:
    codes, factors, kinds = _small()
    few = measure(codes, factors, kinds, 0, replace(SETTINGS, points=200), quiet=True)
    all_ = measure(codes, factors, kinds, 0, replace(SETTINGS, points=400), quiet=True)
    assert all_["mig"] == mig(codes, factors, kinds, bins=20)
    assert few["mig"] != all_["mig"]
    assert few["dci_lasso_completeness"] == all_["dci_lasso_completeness"]


def test_a_rare_class_may_be_missing_from_a_resample() -> None:
    codes, factors, kinds = _small()
    factors[:, 1] = np.arange(400) % 80 == 0  # five images, two of them held out or so
    found = measure(codes, factors, kinds, 0, replace(SETTINGS, resamples=300), quiet=True)
    assert np.isfinite(list(found.values())).all()


def test_intervals_keep_to_the_range_of_their_metric() -> None:
    sample = check(*_small())

    def metrics(part: Sample, settings: Settings) -> dict[str, float]:
        wild = float(part.codes.mean() - sample.codes.mean())
        return {"mig": 1 + wild, "modularity": wild, "gaussian_total_correlation": 1 + wild}

    ends = _bounds(sample, 0, SETTINGS, metrics)
    assert ends["mig_low"] < ends["mig_high"] == 1
    assert 0 == ends["modularity_low"] < ends["modularity_high"]
    assert ends["gaussian_total_correlation_high"] > 1


def test_quick_differs_from_the_reference_in_its_trees_only() -> None:
    assert replace(QUICK, trees=100, learning_rate=0.1) == REFERENCE
    assert (REFERENCE.points, REFERENCE.train, REFERENCE.test) == (10_000, 10_000, 5_000)
    assert (REFERENCE.bins, REFERENCE.batch, REFERENCE.penalty) == (20, 64, 0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((400, 0))}, "codes: found 0 columns"),
        ({"factors": np.zeros((400, 0)), "kinds": []}, "factors: found 0 columns"),
        ({"codes": np.zeros((400, 1))}, "codes: found 1 columns, expected at least 2"),
        ({"codes": np.zeros(400)}, "codes: found 1 dimensions"),
        ({"codes": np.zeros((399, 2))}, "found 399 codes and 400 rows of factors"),
        ({"kinds": ["continuous"]}, "found 1 kinds, expected one a factor: 2"),
        ({"kinds": ["continuous", "nominal"]}, r"kinds\[1\]: found 'nominal'"),
        ({"kinds": ["discrete", "discrete"]}, "factors column 0: discrete, but not all whole"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, object], message: str) -> None:
    codes, factors, kinds = _small()
    given = {"codes": codes, "factors": factors, "kinds": kinds, **change}
    with pytest.raises(ValueError, match=message):
        measure(seed=0, settings=SETTINGS, quiet=True, **given)  # type: ignore[arg-type]


def test_values_that_say_nothing_are_refused() -> None:
    codes, factors, kinds = _small()
    codes[7, 1] = np.nan
    with pytest.raises(ValueError, match="codes: found nan in row 7, column 1"):
        measure(codes, factors, kinds, 0, SETTINGS)
    codes, factors, kinds = _small()
    factors[3, 0] = np.inf
    with pytest.raises(ValueError, match="factors: found inf in row 3, column 0"):
        measure(codes, factors, kinds, 0, SETTINGS)
    codes, factors, kinds = _small()
    factors[:, 1] = 2
    with pytest.raises(ValueError, match=r"factors column 1: a single value \(2\)"):
        measure(codes, factors, kinds, 0, SETTINGS)
    codes, factors, kinds = _small()
    with pytest.raises(ValueError, match="found 99 images, expected at least 100"):
        measure(codes[:99], factors[:99], kinds, 0, SETTINGS)
    factors[:, 1] = np.arange(400) == 0
    with pytest.raises(ValueError, match="factors column 1: a single value among the"):
        measure(codes, factors, kinds, 0, SETTINGS)
    with pytest.raises(ValueError, match="found 1 names of 2 factors"):
        examine(*_small(), ["x"], 0, SETTINGS)
