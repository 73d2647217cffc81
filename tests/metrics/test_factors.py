"""Disentanglement metrics of stores with known factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.data.store import Store
from latent_atlas.metrics.disentanglement import QUICK
from latent_atlas.metrics.factors import Factors, evaluate_disentanglement, factors_of
from latent_atlas.util.console import UserError

MakeStore = Callable[..., Store]


def known_factors(store: Store) -> Factors:
    factors = factors_of(store)
    assert factors is not None
    return factors


def test_factors_are_columns_that_vary(make_store: MakeStore) -> None:
    store = make_store(count=200)
    store.index["shape"] = ["round", "flat"] * 100
    store.index["constant"] = 1.0
    store.card["factors"] = ["x", "y", "shape", "constant"]
    factors = known_factors(store)
    assert (factors.names, factors.kinds) == (
        ["x", "y", "shape"],
        ["continuous", "continuous", "discrete"],
    )
    np.testing.assert_array_equal(factors.values[:, 0], store.index["x"])
    assert factors.values[:4, 2].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("names", [[], ["x"]])
def test_fewer_than_two_factors_are_none(make_store: MakeStore, names: list[str]) -> None:
    store = make_store()
    store.card["factors"] = names
    assert factors_of(store) is None


def test_a_code_that_equals_the_factors_has_a_high_mig_and_noise_a_low_one(
    make_store: MakeStore,
) -> None:
    factors = known_factors(make_store(count=2000))
    noise = np.random.default_rng(0).standard_normal(factors.values.shape).astype(np.float32)
    codes = factors.values.astype(np.float32)
    good = evaluate_disentanglement(codes, factors, QUICK, 0, complete=False).metrics
    bad = evaluate_disentanglement(noise, factors, QUICK, 0, complete=False).metrics
    assert set(good) == {"mig", "modularity"}
    assert good["mig"] > 0.9
    assert bad["mig"] < 0.05


def test_the_short_table_has_a_row_for_each_latent_and_factor(make_store: MakeStore) -> None:
    factors = known_factors(make_store(count=500))
    swapped = factors.values[:, ::-1].astype(np.float32)
    table = evaluate_disentanglement(swapped, factors, QUICK, 0, complete=False).table
    assert table[["latent", "factor"]].to_numpy().tolist() == [
        [0, "x"],
        [0, "y"],
        [1, "x"],
        [1, "y"],
    ]
    assert table["normalised_mutual_information"].to_numpy().round().tolist() == [0, 1, 1, 0]


def test_a_complete_evaluation_has_all_metrics_and_matrices(make_store: MakeStore) -> None:
    factors = known_factors(make_store(count=300))
    codes, settings = factors.values.astype(np.float32), replace(QUICK, resamples=5)
    summary = evaluate_disentanglement(codes, factors, settings, 0, complete=True)
    assert summary.metrics["dci_trees_disentanglement"] > 0.9
    assert {"mig", "mig_low", "sap"} < set(summary.metrics)
    assert summary.table["factor"].to_list() == ["x", "y"] * 2


def test_a_rare_value_is_an_error_with_the_names_of_the_factors(make_store: MakeStore) -> None:
    store = make_store(count=120)
    store.index["rare"] = ["a"] * 119 + ["b"]
    store.card["factors"] = ["x", "rare"]
    factors = known_factors(store)
    codes = factors.values.astype(np.float32)
    message = r"^disentanglement of x, rare: factors column 1: a single .* MIG and modularity only"
    with pytest.raises(UserError, match=message):
        evaluate_disentanglement(codes, factors, QUICK, 0, complete=True)


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("images", "latents", "expected"),
    [
        (99, 2, "codes: found 99 images, expected at least 100; use more images or more latents"),
        (200, 1, "codes: found 1 columns, expected at least 2; .* or more latents"),
    ],
)
def test_too_few_images_or_latents_are_an_error_with_the_names_of_the_factors(
    make_store: MakeStore, images: int, latents: int, expected: str, complete: bool
) -> None:
    factors = known_factors(make_store(count=images))
    codes = factors.values[:, :latents].astype(np.float32)
    with pytest.raises(UserError, match=f"^disentanglement of x, y: {expected}"):
        evaluate_disentanglement(codes, factors, QUICK, 0, complete=complete)
