"""The scatter of a latent plane: a whole legend, and images without a label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.plots import latent_plane
from latent_atlas.training.checkpoint import TrainedRun

MakeRun = Callable[..., Run]
MakeStore = Callable[..., Store]
Train = Callable[[Run, Store], TrainedRun]


@pytest.mark.parametrize("name", ["", " of clothes that are worn in the evening"])
@pytest.mark.parametrize("classes", [2, 100])
def test_the_legend_of_a_scatter_is_inside_the_picture(
    classes: int,
    name: str,
    make_run: MakeRun,
    make_store: MakeStore,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(count=400, classes=classes)
    store.index["label"] += name
    store.card["classes"] = [label + name for label in store.classes]
    trained = train(make_run(latent_dim=2, epochs=1), store)
    figures: list[Figure] = []
    monkeypatch.setattr(latent_plane, "save_figure", lambda _, figure: figures.append(figure))
    latent_plane.plot_scatter(trained, store, 3, tmp_path / "scatter.png")
    figures[0].draw_without_rendering()
    legend = figures[0].axes[0].get_legend()
    assert legend is not None
    box, page = legend.get_window_extent(), figures[0].bbox
    assert page.x0 < box.x0 < box.x1 <= page.x1
    assert page.y0 < box.y0 < box.y1 <= page.y1


def test_a_scatter_includes_images_without_a_label(
    make_run: MakeRun,
    make_store: MakeStore,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store()
    trained = train(make_run(latent_dim=2, epochs=1), store)
    valid = store.rows("valid")
    store.index.loc[valid[:2], "label"] = None
    figures: list[Figure] = []
    monkeypatch.setattr(latent_plane, "save_figure", lambda _, figure: figures.append(figure))
    latent_plane.plot_scatter(trained, store, 100, tmp_path / "scatter.png")
    dots = figures[0].axes[0].collections
    groups = {str(group.get_label()): np.asarray(group.get_offsets(), np.float64) for group in dots}
    assert set(groups) == {"class0", "class1", "without a label"}
    assert sum(map(len, groups.values())) == len(valid)
    codes = trained.encode(store.images[valid[:2]])
    np.testing.assert_allclose(np.sort(groups["without a label"], 0), np.sort(codes, 0), rtol=1e-5)
