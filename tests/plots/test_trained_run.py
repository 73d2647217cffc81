"""All pictures of a run: the files, repeated bytes, and names with a dollar sign."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from latent_atlas.config import reading
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.metrics.reconstruction import latent_activity
from latent_atlas.plots import losses
from latent_atlas.plots.grid import save_figure
from latent_atlas.plots.trained_run import plot_trained_run
from latent_atlas.training.checkpoint import TrainedRun
from tests.conftest import ROOT

MakeRun = Callable[..., Run]
MakeStore = Callable[..., Store]
Train = Callable[[Run, Store], TrainedRun]
SETTINGS = reading.load(ROOT / "params.yaml").evaluate


def plot(trained: TrainedRun, store: Store, out: Path) -> set[str]:
    plot_trained_run(trained, store, latent_activity(trained, store, 0.01), SETTINGS, out)
    return {path.name for path in out.iterdir()}


def test_a_labelled_run_with_two_latents_has_every_picture(
    make_run: MakeRun, make_store: MakeStore, train: Train, tmp_path: Path
) -> None:
    store = make_store()
    trained = train(make_run(latent_dim=2, epochs=1), store)
    expected = {"strip", "samples", "traversal", "classes", "mesh", "scatter", "losses"}
    assert plot(trained, store, tmp_path / "plots") == {f"{name}.png" for name in expected}
    for path in (tmp_path / "plots").iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert pixels.std() > 5, f"{path.name} is blank"
    first = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    plot(trained, store, tmp_path / "again")
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}


def test_without_labels_and_with_more_latents_there_are_fewer_pictures(
    make_run: MakeRun, make_store: MakeStore, train: Train, tmp_path: Path
) -> None:
    store = make_store(classes=0)
    trained = train(make_run(model="ae", beta=0.0, epochs=1), store)
    expected = {"strip.png", "samples.png", "traversal.png", "losses.png"}
    assert plot(trained, store, tmp_path / "plots") == expected


def test_dollar_signs_in_paths_and_names_are_not_formulas(
    make_run: MakeRun,
    make_store: MakeStore,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store()
    store.card["classes"] = ["$10_$", "under $10_$"]
    store.index["label"] = [store.card["classes"][row % 2] for row in range(len(store.index))]
    trained = train(make_run(latent_dim=2, epochs=2), store)
    trained.config["data"]["source"] = "/shop/$x_$/photos"
    figures: list[Figure] = []

    def save(path: Path, figure: Figure) -> None:
        figures.append(figure)
        save_figure(path, figure)

    monkeypatch.setattr(losses, "save_figure", save)
    assert {"classes.png", "scatter.png"} < plot(trained, store, tmp_path / "plots")
    ticks = [tick for axes in figures[0].axes for tick in axes.get_yticklabels(which="both")]
    formulas = [tick for tick in ticks if "$" in tick.get_text()]
    assert formulas, "the loss axis is logarithmic"
    assert all(tick.get_parse_math() for tick in formulas)
