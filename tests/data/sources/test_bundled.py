"""Data sets of scikit-learn and torchvision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.items import IngestRequest
from latent_atlas.util.console import FieldError
from tests.data.sources.pictures import Build


def test_digits_keep_their_values_and_labels(build: Build) -> None:
    store = build("sklearn:digits", channels=1, valid_share=0.15)
    digits = load_digits()
    assert store.images.shape == (1797, 8, 8, 1)
    assert np.array_equal(store.images[:, :, :, 0], np.rint(digits.images * 255 / 16))
    assert store.index["label"].to_list() == [str(number) for number in digits.target]
    assert 0.1 < (store.index["split"] == "valid").mean() < 0.2


@pytest.mark.parametrize(
    "source, nearest, names",
    [
        ("sklearn:digit", "digits", "digits"),
        ("torchvision:mnist", "MNIST", "MNIST, FashionMNIST, CIFAR10, STL10"),
        ("torchvision:CIFAR100", "CIFAR10", "CIFAR10"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(
    make_request: Callable[..., IngestRequest], source: str, nearest: str, names: str
) -> None:
    with pytest.raises(FieldError, match=rf"^source: .*mean '{nearest}'\? .*{names}"):
        open_source(make_request(source))


class _Set:
    """A data set of torchvision; the attributes differ between data sets."""

    def __init__(self, name: str, count: int) -> None:
        generator = np.random.default_rng(count)
        pixels = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        labels = [number % 3 for number in range(count)]
        self.classes = ["zero", "one", "two"]
        self.data: Any = pixels
        self.targets: Any = labels
        if name == "STL10":
            self.data, self.labels = pixels.transpose(0, 3, 1, 2), np.array(labels)
        if name in ("MNIST", "FashionMNIST"):
            self.data = pixels[..., 0]


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "CIFAR10", "STL10"])
def test_torchvision(name: str, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = []

    def make(root: Path, download: bool, **part: Any) -> _Set:
        assert download
        roots.append(root)
        train = part == ({"split": "train"} if name == "STL10" else {"train": True})
        return _Set(name, 30 if train else 6)

    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setattr(torchvision, "datasets", SimpleNamespace(**{name: make}))
    grey = name.endswith("MNIST")
    store = build(f"torchvision:{name}", channels=1 if grey else 3, valid_share=0.3)
    expected = _Set("CIFAR10", 30).data
    assert np.array_equal(store.images[:30], expected[..., :1] if grey else expected)
    assert set(store.index["split"][:30]) == {"train", "valid"}
    assert set(store.index["split"][30:]) == {"test"}
    assert store.classes == (["0", "1", "2"] if name == "MNIST" else ["one", "two", "zero"])
    assert roots == [Path.cwd() / ".cache" / "torchvision"] * 2


def test_torchvision_without_a_network_is_one_line(
    make_request: Callable[..., IngestRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(root: Path, download: bool, train: bool) -> _Set:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nmany\nlines")

    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setattr(torchvision, "datasets", SimpleNamespace(MNIST=make))
    with pytest.raises(FieldError, match=r"(?s)cannot download MNIST .*copy its files to"):
        open_source(make_request("torchvision:MNIST"))
