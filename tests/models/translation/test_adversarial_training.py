"""Adversarial models in the training loop: a few steps, bf16, resumption, several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from latent_atlas.config.registry import TRANSLATORS
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.store import Store
from latent_atlas.training.translation import build_translator
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.models.translation.translators import KilledError, kill_after, run_of, train

MakeStore = Callable[..., Store]

MODELS = ["dcgan", "cgan", "pix2pix", "cyclegan"]
EXTRA: dict[str, dict[str, Any]] = {"cyclegan": {"blocks": 1, "pool": 5}}

SCRIPT = """
import sys
from pathlib import Path
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.store import open_store
from tests.models.translation.translators import train
run = TranslationRun.model_validate_json(Path(sys.argv[1]).read_text())
train(run, open_store(Path(sys.argv[2])), Path(sys.argv[3]))
"""


def assert_equal(first: Path, second: Path) -> None:
    for file in ("weights.safetensors", "history.csv", "config.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


@pytest.mark.parametrize("name", MODELS)
def test_resumed_trainings_end_with_the_same_bits(
    name: str, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run = make_store(), run_of(name, ema=0.9, **EXTRA.get(name, {}))
    train(run, store, tmp_path / "whole")
    for steps in (2, 3):  # in the first epoch, then in the second of CycleGAN
        revive = kill_after(steps, monkeypatch)
        with pytest.raises(KilledError):
            train(run, store, tmp_path / "cut")
        revive()
        torch.manual_seed(77)  # another process has drawn other numbers
    train(run, store, tmp_path / "cut")
    assert_equal(tmp_path / "whole", tmp_path / "cut")
    history = pd.read_csv(tmp_path / "whole" / "history.csv")
    expected = {"train_loss", "valid_loss", "train_discriminator_accuracy", "valid_diversity"}
    assert expected <= set(history)
    gradients = [column for column in map(str, history) if column.endswith("_gradient")]
    assert len(gradients) == 2
    assert (history[gradients] > 0).all(axis=None)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("objective", ["saturating", "wgan_gp"])
def test_other_objectives_train_in_half_precision(
    name: str, objective: str, make_store: MakeStore, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"objective": objective, "r1": 1.0, "discriminator_steps": 2}
    run = run_of(name, {"precision": "bf16-mixed"}, epochs=1, **options, **EXTRA.get(name, {}))
    train(run, make_store(channels=1), tmp_path / "out")
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert np.isfinite(history.to_numpy(np.float64)).all()
    penalty = history["train_discrimination_loss"] - history["train_discriminator_loss"]
    if objective == "wgan_gp":
        assert penalty.iloc[0] > 1


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_batches_of_one_image_and_images_that_are_not_square(
    name: str, make_store: MakeStore, tmp_path: Path
) -> None:
    run = run_of(name, {"batch_size": 1}, epochs=1, **EXTRA.get(name, {}))
    train(run, make_store(count=44, height=96, width=64), tmp_path / "out")
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert history["valid_data_diversity"].iloc[0] > 0


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_a_training_without_a_discriminator(
    name: str, make_store: MakeStore, tmp_path: Path
) -> None:
    run = run_of(name, adversarial=0, ema=0.9, **EXTRA.get(name, {}))
    train(run, make_store(), tmp_path / "out")
    history = pd.read_csv(tmp_path / "out" / "history.csv")
    assert history["valid_loss"].iloc[1] < history["valid_loss"].iloc[0]
    assert "train_discriminator_accuracy" not in history


def test_the_learning_rate_of_cyclegan_falls(make_store: MakeStore, tmp_path: Path) -> None:
    run = run_of("cyclegan", epochs=4, blocks=1)
    train(run, make_store(), tmp_path / "out")
    rates = pd.read_csv(tmp_path / "out" / "history.csv")["learning_rate"] / 2e-4
    # A row has the rate of the step behind its epoch; three steps are an epoch.
    np.testing.assert_allclose(rates, [1, 1 - 0.5 / 6, 1 - 3.5 / 6, 0], atol=1e-5)


def test_a_collapsed_training_stops(
    make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untrained narrow generator makes nearly the same image of every code."""
    train(run_of("dcgan", epochs=4, stop_on_collapse=True), make_store(), tmp_path / "out")
    assert "stopped after epoch" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "out" / "history.csv")) < 4


@pytest.mark.parametrize("name", MODELS)
def test_wrong_sizes_are_one_clear_line(name: str) -> None:
    run, sizes = run_of(name), (2,) if TRANSLATORS[name].needs else ()
    with pytest.raises(UserError, match=rf"runs\.translation\.{name}: model {name}: found 40×32"):
        build_translator(run, (40, 32, 3), sizes, reverse=False)


def start(
    run: TranslationRun, store: Store, out: Path, launcher: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    script, parameters = out.parent / "train_it.py", out.parent / "run.json"
    script.write_text(SCRIPT)
    parameters.write_text(run.model_dump_json(by_alias=True))
    command = [sys.executable, *launcher, str(script), str(parameters), str(store.path), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_two_processes_share_the_pools_of_cyclegan(make_store: MakeStore, tmp_path: Path) -> None:
    run = run_of("cyclegan", {"batch_size": 7}, ema=0.9, **EXTRA["cyclegan"])
    store = make_store()
    assert start(run, store, tmp_path / "one").wait() == 0
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = start(run, store, tmp_path / "two", torchrun)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name in one:
        if str(name).endswith("bias"):  # in front of a norm its gradient is a rounding error
            continue
        torch.testing.assert_close(two[name], one[name], rtol=1e-2, atol=4e-4)
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("one", "two")]
    # The absolute tolerance is for accuracies, which are shares of 128 patches.
    np.testing.assert_allclose(histories[0], histories[1], rtol=5e-3, atol=0.02)
