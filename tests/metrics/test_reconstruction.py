"""Reconstruction metrics of a run: analytic cases."""

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
    changed = images.copy()
    changed[1] += 51  # a fifth of the range: −20 log10(0.2)
    np.testing.assert_allclose(reconstruction.psnr(images, changed), [100.0, 13.9794], atol=1e-4)


def test_final_losses_are_those_of_the_history() -> None:
    history = pd.DataFrame(
        {
            "epoch": range(1, 8),
            "train_reconstruction": [70.0, 60, 50, 40, 30, 20, 10],
            "valid_reconstruction": [7.0] * 7,
            "train_kl": [1.0] * 7,
            "valid_kl": [1.0, 2, 3, 4, 5, 6, 7],
        }
    )
    values = reconstruction.final_losses(history)
    assert values["train_reconstruction"] == 10
    assert values["train_reconstruction_last5"] == 30
    assert values["valid_kl_last5"] == 5
    assert values["valid_kl_without_half_last5"] == 10
    without_kl = reconstruction.final_losses(history[["epoch", "train_reconstruction"]])
    assert not [name for name in without_kl if "_kl" in name]


class FixedCodes:
    """A stand-in for a trained run, with given codes."""

    def __init__(self, codes: Codes, log_variance: Codes | None) -> None:
        self.codes, self.logs = codes, log_variance

    def encode(self, images: Images) -> Codes:
        return self.codes

    def log_variance(self, images: Images) -> Codes | None:
        return self.logs


def test_active_latents_and_their_kl(make_store: Callable[..., Store]) -> None:
    store = make_store(count=200)
    count = len(store.rows("valid"))
    codes = np.zeros((count, 3), dtype=np.float32)
    codes[::2, 0] = 2.0  # variance about 1; the others are constant
    codes[:, 2] = 1.0
    run = cast(TrainedRun, FixedCodes(codes, np.zeros_like(codes)))
    table = reconstruction.latent_activity(run, store, active_threshold=0.01)
    assert table["active"].tolist() == [True, False, False]
    np.testing.assert_allclose(table["activity"], codes.astype(float).var(0))
    np.testing.assert_allclose(table["kl"], (codes.astype(float) ** 2).mean(0) / 2)
    deterministic = cast(TrainedRun, FixedCodes(codes, None))
    assert reconstruction.latent_activity(deterministic, store, 0.01)["kl"].isna().all()


def test_ssim_is_1_for_equal_images_and_less_for_inverted_ones(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()

    class Identity:
        batch_size = 1000

        def __init__(self, inverted: bool) -> None:
            self.inverted = inverted

        def encode(self, images: Images) -> Images:
            return images

        def decode(self, images: Images) -> Images:
            return 255 - images if self.inverted else images

    good = reconstruction.mean_psnr_and_ssim(cast(Any, Identity(False)), store)
    bad = reconstruction.mean_psnr_and_ssim(cast(Any, Identity(True)), store)
    assert good == {"psnr": 100.0, "ssim": pytest.approx(1.0)}
    assert bad["ssim"] < 0.1
    assert bad["psnr"] < 3


def test_psnr_and_ssim_do_not_depend_on_the_batch_size(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    runs = [open_run(tmp_path / "model", size) for size in (1, 64)]
    values = [reconstruction.mean_psnr_and_ssim(run, store) for run in runs]
    for name in ("psnr", "ssim"):
        assert values[0][name] == pytest.approx(values[1][name], abs=1e-2)


def test_an_evaluation_has_every_metric(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    loop.train(make_run(epochs=1), store, tmp_path / "model", tmp_path / "state.pt")
    values = reconstruction.evaluate_reconstruction(open_run(tmp_path / "model"), store, 0.01)
    assert {"psnr", "ssim", "active_latents", "unused_latents", "valid_reconstruction"} <= set(
        values
    )
    assert values["active_latents"] + values["unused_latents"] == 3
    assert all(np.isfinite(value) for value in values.values())
