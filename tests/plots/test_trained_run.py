"""The pictures of a run: which there are, and that they show what they say."""

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
from latent_atlas.metrics.reconstruction import latents
from latent_atlas.plots import latent_plane, trained_run
from latent_atlas.plots.grid import save_figure
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run
from tests.conftest import ROOT

MakeRun = Callable[..., Run]
MakeStore = Callable[..., Store]
SETTINGS = reading.load(ROOT / "params.yaml").evaluate


def train(run: Run, store: Store, folder: Path) -> TrainedRun:
    loop.train(run, store, folder / "model", folder / "state.pt")
    return open_run(folder / "model")


def draw(trained: TrainedRun, store: Store, out: Path) -> set[str]:
    trained_run.draw(trained, store, latents(trained, store, 0.01), SETTINGS, out)
    return {path.name for path in out.iterdir()}


def test_a_labelled_two_latent_run_has_every_picture(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store()
    trained = train(make_run(latent_dim=2, epochs=1), store, tmp_path)
    expected = {"strip", "samples", "traversal", "classes", "mesh", "scatter", "losses"}
    assert draw(trained, store, tmp_path / "plots") == {f"{name}.png" for name in expected}
    for path in (tmp_path / "plots").iterdir():
        pixels = np.asarray(Image.open(path).convert("L"))
        assert pixels.std() > 5, f"{path.name} is blank"
    first = {path.name: path.read_bytes() for path in (tmp_path / "plots").iterdir()}
    draw(trained, store, tmp_path / "again")
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}


def test_without_labels_and_with_more_latents_there_are_fewer(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    store = make_store(classes=0)
    trained = train(make_run(model="ae", beta=0.0, epochs=1), store, tmp_path)
    expected = {"strip.png", "samples.png", "traversal.png", "losses.png"}
    assert draw(trained, store, tmp_path / "plots") == expected


def test_factors_of_a_channel_show_that_channel_alone(make_store: MakeStore) -> None:
    store = make_store()
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    assert set(trained_run._by_channel(images, store)) == {""}
    store.card["factors"] = ["red_x", "blue_r"]
    pictures = trained_run._by_channel(images, store)
    assert set(pictures) == {"", "red", "blue"}
    np.testing.assert_array_equal(pictures["blue"][..., 0], images[..., 2])


@pytest.mark.parametrize("count", [1, 3, 9])
def test_few_rows_are_shown_again(count: int) -> None:
    chosen = latent_plane.choose(np.arange(count), 8, seed=0)
    assert len(chosen) == 8
    assert set(chosen[: min(count, 8)]) <= set(range(count))
    assert len(set(chosen.tolist())) == min(count, 8)


def test_many_latents_show_the_most_active(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    trained = train(make_run(epochs=1), store, tmp_path)
    monkeypatch.setattr(trained_run, "MOST_ROWS", 2)
    shown: list[list[str]] = []
    monkeypatch.setattr(
        trained_run, "save_grid", lambda *_, row_labels=(), **__: shown.append(list(row_labels))
    )
    table = latents(trained, store, 0.0)
    table["activity"] = [0.1, 0.3, 0.2]
    trained_run.traversals(trained, store, table, SETTINGS, tmp_path)
    assert [label.split()[0] for label in shown[0]] == ["z2", "z3"]


def test_many_classes_show_the_largest(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(classes=4)
    trained = train(make_run(epochs=1), store, tmp_path)
    valid = store.rows("valid")
    store.index["label"] = "class0"
    store.index.loc[valid[:5], "label"] = ["class3", "class1", "class1", "class2", "class2"]
    monkeypatch.setattr(trained_run, "MOST_ROWS", 2)
    shown: list[tuple[str, list[str]]] = []

    def save(*_: object, title: str, row_labels: list[str], **__: object) -> None:
        shown.append((title, row_labels))

    monkeypatch.setattr(trained_run, "save_grid", save)
    trained_run.classes(trained, store, SETTINGS, tmp_path / "classes.png")
    assert shown[0][1] == ["class0", "class1"]
    assert shown[0][0].startswith("The 2 largest of 4 classes: input")


def test_dollars_in_paths_and_names_are_no_formula(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    store.card["classes"] = ["$10_$", "under $10_$"]
    store.index["label"] = [store.card["classes"][row % 2] for row in range(len(store.index))]
    trained = train(make_run(latent_dim=2, epochs=2), store, tmp_path)
    trained.config["data"]["source"] = "/shop/$x_$/photos"
    saved: list[Figure] = []

    def save(path: Path, figure: Figure) -> None:
        saved.append(figure)
        save_figure(path, figure)

    monkeypatch.setattr(trained_run, "save_figure", save)
    assert {"classes.png", "scatter.png"} < draw(trained, store, tmp_path / "plots")
    ticks = [tick for axes in saved[0].axes for tick in axes.get_yticklabels(which="both")]
    formulas = [tick for tick in ticks if "$" in tick.get_text()]
    assert formulas, "the loss is drawn on a logarithmic axis"
    assert all(tick.get_parse_math() for tick in formulas)


@pytest.mark.parametrize("name", ["", " of clothes that are worn in the evening"])
@pytest.mark.parametrize("classes", [2, 100])
def test_the_legend_of_a_scatter_is_whole(
    classes: int,
    name: str,
    make_run: MakeRun,
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(count=400, classes=classes)
    store.index["label"] += name
    store.card["classes"] = [label + name for label in store.classes]
    trained = train(make_run(latent_dim=2, epochs=1), store, tmp_path)
    drawn: list[Figure] = []
    monkeypatch.setattr(latent_plane, "save_figure", lambda _, figure: drawn.append(figure))
    latent_plane.scatter(trained, store, 3, tmp_path / "scatter.png")
    drawn[0].draw_without_rendering()
    legend = drawn[0].axes[0].get_legend()
    assert legend is not None
    box, page = legend.get_window_extent(), drawn[0].bbox
    assert page.x0 < box.x0 < box.x1 <= page.x1
    assert page.y0 < box.y0 < box.y1 <= page.y1


def test_a_scatter_shows_images_without_a_label_too(
    make_run: MakeRun, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    trained = train(make_run(latent_dim=2, epochs=1), store, tmp_path)
    valid = store.rows("valid")
    store.index.loc[valid[:2], "label"] = None
    drawn: list[Figure] = []
    monkeypatch.setattr(latent_plane, "save_figure", lambda _, figure: drawn.append(figure))
    latent_plane.scatter(trained, store, 100, tmp_path / "scatter.png")
    dots = drawn[0].axes[0].collections
    shown = {str(one.get_label()): np.asarray(one.get_offsets(), np.float64) for one in dots}
    assert set(shown) == {"class0", "class1", "without a label"}
    assert sum(map(len, shown.values())) == len(valid)
    codes = trained.encode(store.images[valid[:2]])
    np.testing.assert_allclose(np.sort(shown["without a label"], 0), np.sort(codes, 0), rtol=1e-5)


@pytest.mark.parametrize("epochs", [1, 2])
def test_the_losses_of_a_single_epoch_are_seen(
    epochs: int, make_run: MakeRun, make_store: MakeStore, tmp_path: Path
) -> None:
    trained = train(make_run(epochs=epochs), make_store(), tmp_path)
    trained_run.losses(trained, tmp_path / "losses.png")
    pixels = np.asarray(Image.open(tmp_path / "losses.png").convert("RGB")).astype(int)
    orange = np.abs(pixels - [255, 127, 14]).sum(2) < 20  # validation: in the legend and drawn
    assert orange[:, : orange.shape[1] // 2].sum() > 60
