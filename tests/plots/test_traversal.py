"""Traversals: their frame, their codes, and the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.metrics.reconstruction import latent_activity
from latent_atlas.plots import traversal
from latent_atlas.plots.traversal import TraversalFrame, plot_traversals, traversal_frame
from latent_atlas.training.checkpoint import TrainedRun

Train = Callable[[Run, Store], TrainedRun]


def test_one_latent_changes_and_the_others_are_constant() -> None:
    centre, unit = np.array([[1, 2, 3], [10, 20, 0.5]], np.float32)
    frame = TraversalFrame(centre, unit, "at the codes' mean", " sd")
    codes = frame.codes([3, 1], np.array([-2.0, 0.0, 2.0]))
    expected = [[[1, 2, 2], [1, 2, 3], [1, 2, 4]], [[-19, 2, 3], [1, 2, 3], [21, 2, 3]]]
    np.testing.assert_array_equal(codes, np.array(expected, np.float32))
    assert codes.dtype == np.float32
    assert frame.labels(np.array([-1.5, 0.0])) == ["-1.5 sd", "+0 sd"]


def test_the_frame_of_a_vae_is_its_prior(
    make_run: Callable[..., Run], make_store: Callable[..., Store], train: Train
) -> None:
    store = make_store()
    frame = traversal_frame(train(make_run(beta=1.0, epochs=1), store), store)
    assert not frame.centre.any()
    assert (frame.unit == 1).all()
    assert (frame.constant, frame.labels(np.array([3.0]))) == ("0", ["+3"])


def test_the_frame_of_an_autoencoder_follows_its_codes(
    make_run: Callable[..., Run], make_store: Callable[..., Store], train: Train
) -> None:
    store = make_store()
    run = train(make_run(model="ae", beta=0.0, epochs=1), store)
    frame = traversal_frame(run, store)
    codes = run.encode(store.images[store.rows("valid")]).astype(np.float64)
    standardised = (codes - frame.centre) / frame.unit
    np.testing.assert_allclose(standardised.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(standardised.std(0), 1, rtol=1e-4)


def test_factors_of_a_channel_add_a_picture_of_that_channel(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    assert set(traversal._by_channel(images, store)) == {""}
    store.card["factors"] = ["red_x", "blue_r"]
    pictures = traversal._by_channel(images, store)
    assert set(pictures) == {"", "red", "blue"}
    np.testing.assert_array_equal(pictures["blue"][..., 0], images[..., 2])


def test_of_many_latents_the_most_active_are_shown(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store()
    trained = train(make_run(epochs=1), store)
    monkeypatch.setattr(traversal, "MAX_ROWS", 2)
    shown: list[tuple[str, list[str]]] = []

    def save(*_: object, title: str, row_labels: list[str], **__: object) -> None:
        shown.append((title, row_labels))

    monkeypatch.setattr(traversal, "save_grid", save)
    table = latent_activity(trained, store, 0.0)
    table["activity"] = [0.1, 0.3, 0.2]
    plot_traversals(trained, store, table, 2.0, 5, tmp_path)
    assert [label.split()[0] for label in shown[0][1]] == ["z2", "z3"]
    assert shown[0][0].startswith("Traversals: a latent per row, the 2 most active of 3, the oth")
