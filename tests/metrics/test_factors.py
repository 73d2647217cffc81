"""What latents know of true factors, on stores whose factors are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.data.store import Store
from latent_atlas.metrics import factors
from latent_atlas.metrics.disentanglement import QUICK
from latent_atlas.util.console import UserError

MakeStore = Callable[..., Store]


def test_factors_are_columns_that_vary(make_store: MakeStore) -> None:
    store = make_store(count=200)
    store.index["shape"] = ["round", "flat"] * 100
    store.index["constant"] = 1.0
    store.card["factors"] = ["x", "y", "shape", "constant"]
    found = factors.factors_of(store)
    assert found is not None
    assert (found.names, found.kinds) == (
        ["x", "y", "shape"],
        ["continuous", "continuous", "discrete"],
    )
    np.testing.assert_array_equal(found.values[:, 0], store.index["x"])
    assert found.values[:4, 2].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("names", [[], ["x"]])
def test_fewer_than_two_factors_are_none(make_store: MakeStore, names: list[str]) -> None:
    store = make_store()
    store.card["factors"] = names
    assert factors.factors_of(store) is None


def test_a_code_that_is_the_factors_scores_high_and_noise_low(make_store: MakeStore) -> None:
    found = factors.factors_of(make_store(count=2000))
    assert found is not None
    noise = np.random.default_rng(0).standard_normal(found.values.shape).astype(np.float32)
    good = factors.measure(found.values.astype(np.float32), found, bins=20)
    bad = factors.measure(noise, found, bins=20)
    assert good["mig"] > 0.9
    assert bad["mig"] < 0.05


def test_shares_have_a_row_for_each_latent_and_factor(make_store: MakeStore) -> None:
    found = factors.factors_of(make_store(count=500))
    assert found is not None
    swapped = found.values[:, ::-1].astype(np.float32)
    table = factors.shares(swapped, found, bins=20)
    assert table[["latent", "factor"]].to_numpy().tolist() == [
        [0, "x"],
        [0, "y"],
        [1, "x"],
        [1, "y"],
    ]
    assert table["share"].to_numpy().round().tolist() == [0, 1, 1, 0]


def test_examining_fills_metrics_and_matrices(make_store: MakeStore) -> None:
    found = factors.factors_of(make_store(count=300))
    assert found is not None
    codes = found.values.astype(np.float32)
    examined = factors.examine(codes, found, 0, replace(QUICK, resamples=5))
    assert examined.metrics["dci_trees_disentanglement"] > 0.9
    assert examined.table["factor"].to_list() == ["x", "y"] * 2


def test_too_few_images_are_named(make_store: MakeStore) -> None:
    store = make_store(count=120)
    store.index["rare"] = ["a"] * 119 + ["b"]
    store.card["factors"] = ["x", "rare"]
    found = factors.factors_of(store)
    assert found is not None
    codes = found.values.astype(np.float32)
    with pytest.raises(UserError, match=r"^disentanglement of x, rare: factors column 1: a single"):
        factors.examine(codes, found, 0, QUICK)


@pytest.mark.parametrize(
    ("images", "latents", "expected"),
    [
        (99, 2, "found 99 images, expected at least 100; raise the number of images"),
        (200, 1, "codes: found 1 columns, expected at least 2; .* or latent_dim"),
    ],
)
def test_too_few_images_or_latents_for_the_gap_are_named(
    make_store: MakeStore, images: int, latents: int, expected: str
) -> None:
    found = factors.factors_of(make_store(count=images))
    assert found is not None
    codes = found.values[:, :latents].astype(np.float32)
    with pytest.raises(UserError, match=f"^disentanglement of x, y: {expected}"):
        factors.measure(codes, found, bins=20)
