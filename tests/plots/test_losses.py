"""Loss curves: visible curves, and their labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.plots import losses
from latent_atlas.plots.losses import plot_losses
from latent_atlas.training.checkpoint import TrainedRun

Train = Callable[[Run, Store], TrainedRun]


@pytest.mark.parametrize("epochs", [1, 2])
def test_the_losses_of_a_single_epoch_are_visible(
    epochs: int,
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    train: Train,
    tmp_path: Path,
) -> None:
    trained = train(make_run(epochs=epochs), make_store())
    plot_losses(trained, tmp_path / "losses.png")
    pixels = np.asarray(Image.open(tmp_path / "losses.png").convert("RGB")).astype(int)
    orange = np.abs(pixels - [255, 127, 14]).sum(2) < 20  # validation: in the legend and the curve
    assert orange[:, : orange.shape[1] // 2].sum() > 60


def test_the_axes_are_in_nats_per_image(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(losses, "save_figure", lambda _, figure: figures.append(figure))
    plot_losses(train(make_run(epochs=1), make_store()), tmp_path / "losses.png")
    labels = [axes.get_ylabel() for axes in figures[0].axes]
    assert labels == ["reconstruction (nats per image)", "KL (nats per image)"]
