"""The numbers of a run against analytic cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Images, Store
from latent_atlas.metrics import reconstruction
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import Codes, TrainedRun, open_run


def test_psnr_of_a_known_error() -> None:
    images = np.full((2, 8, 8, 3), 100, dtype=np.uint8)
    other = images.copy()
    other[1] += 51  # a fifth of the range: −20 log10(0.2)
    np.testing.assert_allclose(reconstruction.psnr(images, other), [100.0, 13.9794], atol=1e-4)


def test_losses_are_those_of_the_history() -> None:
    history = pd.DataFrame(
        {
            "epoch": range(1, 8),
            "train_reconstruction": [70.0, 60, 50, 40, 30, 20, 10],
            "valid_reconstruction": [7.0] * 7,
            "train_kl": [1.0] * 7,
            "valid_kl": [1.0, 2, 3, 4, 5, 6, 7],
        }
    )
    values = reconstruction.losses(history)
    assert values["train_reconstruction"] == 10
    assert values["train_reconstruction_last5"] == 30
    assert values["valid_kl_last5"] == 5
    assert values["valid_kl_without_half_last5"] == 10
    assert not [
        name
        for name in reconstruction.losses(history[["epoch", "train_reconstruction"]])
        if "_kl" in name
    ]


class Known:
    """Stands for a trained run whose codes are known."""

    def __init__(self, codes: Codes, log_variance: Codes | None) -> None:
        self.codes, self.logs = codes, log_variance

    def encode(self, images: Images) -> Codes:
        return self.codes

    def log_variance(self, images: Images) -> Codes | None:
        return self.logs


def test_active_latents_and_their_divergence(make_store: Callable[..., Store]) -> None:
    store = make_store(count=200)
    count = len(store.rows("valid"))
    codes = np.zeros((count, 3), dtype=np.float32)
    codes[::2, 0] = 2.0  # variance about 1; the others never move
    codes[:, 2] = 1.0
    known = cast(TrainedRun, Known(codes, np.zeros_like(codes)))
    table = reconstruction.latents(known, store, active_threshold=0.01)
    assert table["active"].tolist() == [True, False, False]
    np.testing.assert_allclose(table["activity"], codes.astype(float).var(0))
    np.testing.assert_allclose(table["kl"], (codes.astype(float) ** 2).mean(0) / 2)
    points = cast(TrainedRun, Known(codes, None))
    assert reconstruction.latents(points, store, 0.01)["kl"].isna().all()


def test_a_perfect_model_has_ssim_1_and_a_broken_one_less(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()

    class Perfect:
        batch_size = 1000

        def __init__(self, damage: bool) -> None:
            self.damage = damage

        def encode(self, images: Images) -> Images:
            return images

        def decode(self, images: Images) -> Images:
            return 255 - images if self.damage else images

    good = reconstruction.quality(cast(Any, Perfect(False)), store)
    bad = reconstruction.quality(cast(Any, Perfect(True)), store)
    assert good == {"psnr": 100.0, "ssim": pytest.approx(1.0)}
    assert bad["ssim"] < 0.1
    assert bad["psnr"] < 3


def test_quality_does_not_depend_on_the_batch_size(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    values = [reconstruction.quality(open_run(tmp_path / "model", size), store) for size in (1, 64)]
    for name in ("psnr", "ssim"):
        assert values[0][name] == pytest.approx(values[1][name], abs=1e-2)


def test_the_summary_has_every_metric(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    values = reconstruction.measure(open_run(tmp_path / "model"), store, 0.01)
    assert {"psnr", "ssim", "active_latents", "unused_latents", "valid_reconstruction"} <= set(
        values
    )
    assert values["active_latents"] + values["unused_latents"] == 3
    assert all(np.isfinite(value) for value in values.values())
