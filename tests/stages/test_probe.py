"""The linear probe: folds, known features, training of copies, and the command as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from PIL import Image
from torch import Tensor, nn

from latent_atlas.analysis.probe import finetuning, linear
from latent_atlas.analysis.probe.feature_sources import open_source
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.util.console import UserError
from stages import probe as command
from tests.conftest import ROOT


def test_folds_have_every_class_as_often() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 40])
    found = linear.folds(labels, 10, 60, seed=0)
    assert len(found) == 10
    for fold in found:
        assert len(set(fold)) == 60
        assert (np.bincount(labels[fold]) == 20).all()
    assert any((found[0] != fold).any() for fold in found[1:])
    with pytest.raises(ValueError, match=r"100 need 33 images of each of 3 classes; .* has 30"):
        linear.folds(labels, 10, 100, seed=0)


@pytest.mark.parametrize("classes, least", [(2, 3), (4, 4), (5, 5), (10, 5)])
def test_the_smallest_fold_that_can_be_probed(classes: int, least: int) -> None:
    labels = np.repeat(np.arange(classes), 10)
    features = np.eye(classes, dtype=np.float32)[labels]
    (fold,) = linear.folds(labels, 1, least * classes, seed=0)
    assert linear.accuracy(features[fold], labels[fold], features, labels, 0) == 1.0
    told = f"found {least * classes - 1}, .* expected {least * classes} or more, {least} of each"
    with pytest.raises(ValueError, match=told):
        linear.folds(labels, 1, least * classes - 1, seed=0)


def test_features_that_know_the_class_and_features_that_do_not() -> None:
    random = np.random.default_rng(0)
    labels, truth = np.repeat(np.arange(4), 25), np.repeat(np.arange(4), 100)
    noise = random.normal(size=(500, 6)).astype(np.float32)
    told = noise.copy()
    told[:, :4] += 5 * np.eye(4, dtype=np.float32)[np.r_[labels, truth]]
    assert linear.accuracy(told[:100], labels, told[100:], truth, 0) > 0.97
    assert linear.accuracy(noise[:100], labels, noise[100:], truth, 0) == pytest.approx(
        0.25, abs=0.08
    )


def test_the_penalty_is_chosen_without_the_test_images() -> None:
    random = np.random.default_rng(0)
    labels, truth = np.arange(60) % 2, random.integers(2, size=40)
    train, test = (random.normal(size=(n, 20)).astype(np.float32) for n in (60, 40))
    told = linear.accuracy(train, labels, test, truth, 0)
    # What is named before its truth is known is right for one truth or for the other.
    assert told + linear.accuracy(train, labels, test, 1 - truth, 0) == pytest.approx(1)


class Strength:
    """Stands for a fitted classifier: the best penalty is the one in the middle."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def score(self, features: object, labels: object) -> float:
        return 1 - abs(float(np.log10(self.strength)) + 2) / 10


def test_a_fold_takes_the_penalty_that_does_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_fit", lambda features, labels, strength: Strength(strength))
    features, labels = np.zeros((20, 2), np.float32), np.arange(20) % 2
    assert linear.accuracy(features, labels, features, labels, 0) == 1  # of 0.01


class Mean(nn.Module):
    """The mean colour, through a layer that can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 8)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.layer(images.mean((2, 3))))


def test_a_copy_is_tuned_and_the_network_stays() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = random.integers(0, 60, (120, 8, 8, 3), dtype=np.uint8)
    images[labels == 1, :, :, 0] += 150
    torch.manual_seed(0)
    network = Mean()
    before = network.layer.weight.clone()
    tuned = finetuning.train(network, images, labels, 2, 60, 0, "tune")
    assert (tuned.predict(images) == labels).mean() > 0.95
    turned = finetuning.train(network, images, 1 - labels, 2, 60, 0, "tune")
    assert (turned.predict(images) == labels).mean() < 0.05
    assert torch.equal(network.layer.weight, before)
    assert not torch.equal(tuned.network.layer.weight, before)  # type: ignore[union-attr, arg-type]
    again = finetuning.train(network, images, labels, 2, 60, 0, "tune")
    assert torch.equal(tuned.head.weight, again.head.weight)
    slow = finetuning.train(network, images, labels, 2, 60, 0, "tune", rate=1e-6)
    moved = (slow.network.layer.weight - before).abs().max()  # type: ignore[union-attr, operator]
    assert 0 < moved <= 60 * 3 * 1.1e-6  # Adam's step is about its rate; three batches an epoch


@pytest.mark.parametrize(
    "option, line",
    [
        *((f"--rate={rate}", "--rate: found") for rate in ("0", "-0.1", "nan", "2")),
        ("--student-width=0", "--student-width: found 0, expected more than 0"),
        ("--student-width=inf", "--student-width: found inf"),
        ("--size=5", "--size: found 5, expected 16 to 4096"),
        ("--size=5000", "--size: found 5000, expected 16 to 4096"),
        ("--folds=1", "--folds: found 1, expected 2 or more"),
        ("--finetune=-1", "--finetune: found -1, expected 0 or more"),
        ("--clusters=1", "--clusters: found 1, expected 2 or more"),
        ("--student-epochs=0", "--student-epochs: found 0, expected 1 or more"),
        ("--seed=-1", "--seed: found -1, expected 0 to 2147483647"),
        ("--seed=4294967296", "--seed: found 4294967296, expected 0 to 2147483647"),
    ],
)
def test_an_option_out_of_range_is_refused(
    option: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=line):
        run(monkeypatch, "pictures", "efficientnet_lite0", option)


@pytest.fixture
def place(
    tmp_path: Path,
    train_dense: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Pictures smooth or rough, and a run of an encoder without a discriminator."""
    train_dense("models/ae")
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 20)):
        for number, name in enumerate(("rough", "smooth")):
            folder = tmp_path / "pictures" / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                side = (32, 4)[number]
                pixels = random.integers(0, 255, (side, side, 3), dtype=np.uint8)
                picture = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC)
                picture.save(folder / f"{index}.png")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(tmp_path))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["probe", *arguments])
    command.main()


def test_two_probes_do_not_share_their_images(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / ".cache").mkdir()
    with (
        FileLock(place / ".cache" / "probe.lock"),
        pytest.raises(
            UserError, match=r"^another probe is running \(.*probe\.lock is locked\); wait"
        ),
    ):
        run(monkeypatch, "pictures", "encoder:models/ae", "--size", "32")
    assert not (place / ".cache" / "probe").exists()


@pytest.mark.slow
def test_the_command_writes_a_table(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["pictures", "encoder:models/ae", "random:models/ae", "--size", "32"]
    run(monkeypatch, *asked, "--folds", "2", "--fold-size", "20", "--finetune", "2")
    table = pd.read_csv("probe.csv")
    assert list(table["how"]) == ["frozen", "fine-tuned"] * 2
    assert (table["classifier_parameters"] == 66).all()
    assert table["accuracy_percent"][0] != table["accuracy_percent"][2]  # other weights
    assert "| encoder:models/ae | frozen |" in capsys.readouterr().out


@pytest.mark.slow
def test_the_deviation_is_that_of_a_sample(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.7])
    monkeypatch.setattr(linear, "accuracy", lambda *_: next(accuracies))
    asked = ["pictures", "random:models/ae", "--size", "32"]
    run(monkeypatch, *asked, "--folds", "2", "--fold-size", "20")
    (row,) = pd.read_csv("probe.csv").to_dict("records")
    assert (row["accuracy_percent"], row["sd"]) == (60, 14.14)  # ½ · 20 · √2


@pytest.mark.slow
def test_pretrained_features_tell_rough_from_smooth(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["pictures", "efficientnet_lite0", "--size", "32"]
    run(monkeypatch, *asked, "--folds", "2", "--fold-size", "20")
    assert pd.read_csv("probe.csv")["accuracy_percent"][0] > 97


@pytest.mark.slow
def test_an_alexnet_learns_the_clusters_of_a_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["pictures", "transfer-encoder:models/ae", "--size", "32", "--student-width", "0.1"]
    asked += ["--student-epochs", "1", "--clusters", "3", "--fold-size", "20", "--folds", "2"]
    run(monkeypatch, *asked)
    table = pd.read_csv("probe.csv")
    assert list(table["features"]) == ["transfer-encoder:models/ae"]
    assert table["classifier_parameters"][0] == 2 * (4 * 4 * 26 + 1)  # 26 of 256 maps


@pytest.mark.parametrize(
    "source, line",
    [
        ("discriminator:models/ae", "model 'dense_ae' has no discriminator"),
        ("encodr:models/ae", "found 'encodr', expected one of encoder, random"),
        ("resnet5", "no backbone 'resnet5'"),
        ("encoder:models/none", "missing; train the run"),
    ],
)
def test_a_wrong_source_is_named(place: Path, source: str, line: str) -> None:
    with pytest.raises(UserError, match=line):
        open_source(source, 0)


def test_other_images_than_a_run_takes_are_refused(
    make_run: Callable[..., Run],
    make_store: Callable[..., Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = {"square": (32, 32, 3), "tall": (64, 32, 3), "grey": (32, 32, 1)}
    for name, (height, width, channels) in shapes.items():
        store = make_store(20, height, width, channels, name=name)
        settings = make_run(epochs=1, network="mlp", data=name)
        loop.train(settings, store, tmp_path / name, tmp_path / "r.pt")
    monkeypatch.chdir(tmp_path)
    open_source("encoder:square", 0).check(32)
    open_source("transfer-encoder:tall", 0).check(48)  # of which an AlexNet learns, of any size
    for name, line in (
        ("encoder:square", "32×32×3, found 64×64×3; give --size 32"),
        ("encoder:tall", "64×32×3, .* choose a run on square images in colour"),
        ("encoder:grey", "32×32×1, .* choose a run on square images in colour"),
        ("transfer-encoder:grey", "32×32×1"),
    ):
        with pytest.raises(UserError, match=line):
            run(monkeypatch, "pictures", name)  # before it reads any picture


def test_the_seed_decides_untrained_weights(place: Path) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first, again, other = (
        open_source("random:models/ae", seed).network(images) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
