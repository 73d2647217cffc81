"""What latents know of true factors, on stores whose factors are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.lib import factors, loop
from stages.lib.params import Run
from stages.lib.run import open_run
from stages.lib.store import Store

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


def test_the_heat_map_repeats(
    make_run: Callable[..., Run], make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store(count=200)
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    trained, found = open_run(tmp_path / "model"), factors.factors_of(store)
    assert found is not None
    codes = trained.encode(store.images)
    for name in ("a", "b"):
        factors.heat_map(trained, codes, found, 10, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
