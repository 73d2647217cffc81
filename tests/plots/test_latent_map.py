"""A page of latents: what stands where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.metrics import factors, reconstruction
from latent_atlas.metrics.disentanglement import QUICK
from latent_atlas.plots import latent_map
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(count=200)


@pytest.fixture
def trained(make_run: Callable[..., Run], store: Store, tmp_path: Path) -> TrainedRun:
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    return open_run(tmp_path / "model")


def test_a_page_repeats(trained: TrainedRun, store: Store, tmp_path: Path) -> None:
    truth = factors.factors_of(store)
    assert truth is not None
    matrices = factors.examine(trained.encode(store.images), truth, 0, QUICK).table
    latents = reconstruction.latents(trained, store, 0.01)
    for name in ("a", "b"):
        latent_map.draw(trained, store, matrices, latents, 2.0, 5, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_pictures_keep_their_shape() -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    picture, other = figure.subplots(1, 2)
    picture.imshow(np.zeros((50, 40)), aspect="auto")
    picture.set_yticks([10], ["a label with many letters"])
    other.set_title("another")
    latent_map._undistort(figure, picture)
    figure.draw_without_rendering()
    box = picture.get_window_extent()
    assert box.height / box.width == pytest.approx(50 / 40, rel=0.01)


def matrices(share: list[list[float]]) -> pd.DataFrame:
    rows = [(i, f"f{j}", value) for i, row in enumerate(share) for j, value in enumerate(row)]
    return pd.DataFrame(rows, columns=["latent", "factor", "share"])


def test_labels_say_what_a_latent_holds() -> None:
    latents = pd.DataFrame({"latent": [1, 2], "kl": [2.34, 0.01]})
    labels = latent_map._labels(latents, matrices([[0.1, 0.8], [0.02, 0.01]]))
    assert labels == ["z1: f1\n2.3 nats", "z2: nothing\n0.0 nats"]
    points = latents.assign(kl=np.nan)
    assert latent_map._labels(points, matrices([[0.1, 0.8], [0.5, 0.01]])) == ["z1: f1", "z2: f0"]
