"""The map of latents: repeated bytes, aspect ratio, and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.metrics import factors
from latent_atlas.metrics.disentanglement import QUICK
from latent_atlas.metrics.reconstruction import latent_activity
from latent_atlas.plots import latent_map
from latent_atlas.plots.grid import save_figure
from latent_atlas.plots.latent_map import HEAT_MAPS, plot_latent_map
from latent_atlas.training.checkpoint import TrainedRun


@pytest.mark.parametrize("complete", [True, False])
def test_a_map_has_a_panel_per_matrix_and_the_same_bytes_each_time(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    train: Callable[[Run, Store], TrainedRun],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    complete: bool,
) -> None:
    store = make_store(count=200)
    trained = train(make_run(epochs=1), store)
    truth = factors.factors_of(store)
    assert truth is not None
    codes, settings = trained.encode(store.images), replace(QUICK, resamples=2)
    summary = factors.evaluate_disentanglement(codes, truth, settings, 0, complete=complete)
    titles: list[list[str]] = []

    def save(path: Path, figure: Figure) -> None:
        titles.append([axes.get_title() for axes in figure.axes])
        save_figure(path, figure)

    monkeypatch.setattr(latent_map, "save_figure", save)
    latents = latent_activity(trained, store, 0.01)
    for name in ("a", "b"):
        plot_latent_map(trained, store, summary.table, latents, 2.0, 5, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    expected = list(HEAT_MAPS.values())
    assert titles[0][1:] == (expected if complete else expected[:1])


def test_pictures_keep_their_aspect_ratio() -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    picture, other = figure.subplots(1, 2)
    picture.imshow(np.zeros((50, 40)), aspect="auto")
    picture.set_yticks([10], ["a label with many letters"])
    other.set_title("another")
    latent_map._keep_aspect(figure, picture)
    figure.draw_without_rendering()
    box = picture.get_window_extent()
    assert box.height / box.width == pytest.approx(50 / 40, rel=0.01)


def relations(information: list[list[float]]) -> pd.DataFrame:
    rows = [(i, f"f{j}", value) for i, row in enumerate(information) for j, value in enumerate(row)]
    return pd.DataFrame(rows, columns=["latent", "factor", "normalised_mutual_information"])


def test_labels_have_the_dominant_factor_and_the_kl() -> None:
    latents = pd.DataFrame({"latent": [1, 2], "kl": [2.34, 0.01]})
    labels = latent_map._labels(latents, relations([[0.1, 0.8], [0.02, 0.01]]))
    assert labels == ["z1: f1\n2.3 nats", "z2: none\n0.0 nats"]
    deterministic = latents.assign(kl=np.nan)
    labels = latent_map._labels(deterministic, relations([[0.1, 0.8], [0.5, 0.01]]))
    assert labels == ["z1: f1", "z2: f0"]
