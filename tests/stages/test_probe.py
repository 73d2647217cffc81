"""The command that probes features: options, table, fine-tuning and knowledge transfer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from PIL import Image

from latent_atlas.analysis.probe import linear
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import probe as command
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "option, message",
    [
        ("--rate=0", "--rate: found 0.0, expected greater than 0"),
        ("--rate=-0.1", "--rate: found -0.1, expected greater than 0"),
        ("--rate=nan", "--rate: found nan, expected a finite number"),
        ("--rate=2", "--rate: found 2.0, expected less than or equal to 1"),
        ("--student-width=0", "--student-width: found 0.0, expected greater than 0"),
        ("--student-width=inf", "--student-width: found inf, expected a finite number"),
        ("--size=5", "--size: found 5, expected greater than or equal to 16"),
        ("--size=5000", "--size: found 5000, expected less than or equal to 4096"),
        ("--folds=1", "--folds: found 1, expected greater than or equal to 2"),
        ("--finetune=-1", "--finetune: found -1, expected greater than or equal to 0"),
        ("--clusters=1", "--clusters: found 1, expected greater than or equal to 2"),
        ("--student-epochs=0", "--student-epochs: found 0, expected greater than or equal to 1"),
        ("--seed=-1", "--seed: found -1, expected greater than or equal to 0"),
        ("--seed=4294967296", "--seed: found 4294967296, expected less than .* 2147483647"),
    ],
)
def test_an_option_out_of_range_is_refused(
    option: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        run(monkeypatch, "pictures", "efficientnet_lite0", option)


@pytest.fixture
def folder(
    tmp_path: Path, train_dense: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with smooth and rough pictures, and a run without a discriminator."""
    train_dense("models/ae")
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 20)):
        for number, name in enumerate(("rough", "smooth")):
            pictures = tmp_path / "pictures" / split / name
            pictures.mkdir(parents=True)
            for index in range(count):
                side = (32, 4)[number]
                pixels = random.integers(0, 255, (side, side, 3), dtype=np.uint8)
                picture = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
                picture.save(pictures / f"{index}.png")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(tmp_path))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["probe", *arguments])
    command.main()


def test_a_second_probe_at_the_same_time_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".cache").mkdir()
    with (
        FileLock(folder / ".cache" / "probe.lock"),
        pytest.raises(UserError, match=r"^another probe is running \(.*probe\.lock is locked\)"),
    ):
        run(monkeypatch, "pictures", "encoder:models/ae", "--size", "32")
    assert not (folder / ".cache" / "probe").exists()


def test_another_size_than_a_run_takes_is_refused_before_images_are_read(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_settings = make_run(epochs=1, network="mlp")
    loop.train(run_settings, make_store(), tmp_path / "mlp", tmp_path / "resume.pt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^--size: found 40, but encoder:mlp takes .* 32×32×3;"):
        run(monkeypatch, "no-pictures", "encoder:mlp", "--size", "40")


def test_too_small_a_fold_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^--fold-size: found 4, 2 images of each of 2 classes"):
        run(monkeypatch, "pictures", "encoder:models/ae", "--size", "32", "--fold-size", "4")


@pytest.mark.slow
def test_the_command_writes_a_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["pictures", "encoder:models/ae", "random:models/ae", "--size", "32"]
    run(monkeypatch, *arguments, "--folds", "2", "--fold-size", "20", "--finetune", "2")
    table = pd.read_csv("probe.csv")
    assert list(table["how"]) == ["frozen", "fine-tuned"] * 2
    assert (table["classifier_parameters"] == 66).all()
    assert table["accuracy_percent"][0] != table["accuracy_percent"][2]  # other weights
    assert "| encoder:models/ae | frozen |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_standard_deviation_is_that_of_a_sample(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.5, 0.7])
    monkeypatch.setattr(linear, "probe_accuracy", lambda *_: next(accuracies))
    arguments = ["pictures", "random:models/ae", "--size", "32"]
    run(monkeypatch, *arguments, "--folds", "2", "--fold-size", "20")
    (row,) = pd.read_csv("probe.csv").to_dict("records")
    assert (row["accuracy_percent"], row["sd"]) == (60, 14.14)  # ½ · 20 · √2


@pytest.mark.slow
def test_pretrained_features_separate_rough_from_smooth(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["pictures", "efficientnet_lite0", "--size", "32"]
    run(monkeypatch, *arguments, "--folds", "2", "--fold-size", "20")
    assert pd.read_csv("probe.csv")["accuracy_percent"][0] > 97


@pytest.mark.slow
def test_an_alexnet_is_trained_on_the_clusters_of_a_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["pictures", "transfer-encoder:models/ae", "--size", "32"]
    arguments += ["--student-width", "0.1", "--student-epochs", "1", "--clusters", "3"]
    run(monkeypatch, *arguments, "--fold-size", "20", "--folds", "2")
    table = pd.read_csv("probe.csv")
    assert list(table["features"]) == ["transfer-encoder:models/ae"]
    assert table["classifier_parameters"][0] == 2 * (4 * 4 * 26 + 1)  # 26 of 256 maps


def test_images_that_do_not_exist_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"^images: found 'no-pictures', but there is no file"):
        run(monkeypatch, "no-pictures", "encoder:models/ae", "--size", "32")
