"""Traversals keep to where the codes are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.plots.traversal import Frame, frame
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run


def trained(run: Run, store: Store, folder: Path) -> TrainedRun:
    loop.train(run, store, folder / "model", folder / "state.pt")
    return open_run(folder / "model")


def test_one_latent_moves_and_the_others_stay() -> None:
    centre, unit = np.array([[1, 2, 3], [10, 20, 0.5]], np.float32)
    around = Frame(centre, unit, "at the codes' mean", " sd")
    codes = around.codes([3, 1], np.array([-2.0, 0.0, 2.0]))
    expected = [[[1, 2, 2], [1, 2, 3], [1, 2, 4]], [[-19, 2, 3], [1, 2, 3], [21, 2, 3]]]
    np.testing.assert_array_equal(codes, np.array(expected, np.float32))
    assert codes.dtype == np.float32
    assert around.labels(np.array([-1.5, 0.0])) == ["-1.5 sd", "+0 sd"]


def test_a_vae_is_traversed_by_its_prior(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    around = frame(trained(make_run(beta=1.0, epochs=1), store, tmp_path), store)
    assert not around.centre.any()
    assert (around.unit == 1).all()
    assert (around.rest, around.labels(np.array([3.0]))) == ("0", ["+3"])


def test_an_autoencoder_is_traversed_by_its_codes(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    run = trained(make_run(model="ae", beta=0.0, epochs=1), store, tmp_path)
    around = frame(run, store)
    codes = run.encode(store.images[store.rows("valid")]).astype(np.float64)
    standardised = (codes - around.centre) / around.unit
    np.testing.assert_allclose(standardised.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(standardised.std(0), 1, rtol=1e-4)
