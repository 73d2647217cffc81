"""IDX files: MNIST and data sets in its format."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from latent_atlas.util.console import UserError
from tests.data.sources.pictures import Build

OPTIONS = {"height": 9, "width": 8, "channels": 1, "fit": "stretch"}


def idx(array: np.ndarray) -> bytes:
    """The format of the MNIST page: magic, sizes as big-endian 32-bit numbers, bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def digits(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, 9, 8)), np.arange(count) % 10


def mnist(folder: Path, packed: bool = False, test: int = 7, train: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (part, count) in enumerate({"train": train, "t10k": test}.items()):
        images, labels = digits(seed, count)
        for name, data in (("images-idx3", idx(images)), ("labels-idx1", idx(labels))):
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_mnist(tmp_path: Path, build: Build, packed: bool) -> None:
    store = build(mnist(tmp_path / "x", packed), **OPTIONS, valid_share=0.3)
    test, train = digits(1, 7), digits(0, 40)
    assert np.array_equal(store.images[:7, :, :, 0], test[0])
    assert np.array_equal(store.images[7:, :, :, 0], train[0])
    assert store.index["label"].to_list() == [str(n) for n in [*test[1], *train[1]]]
    assert set(store.index["split"][:7]) == {"test"}
    assert set(store.index["split"][7:]) == {"train", "valid"}
    assert store.card["kind"] == "IDX files"


def test_one_file_has_no_splits_of_its_own(tmp_path: Path, build: Build) -> None:
    folder = mnist(tmp_path / "x", test=60)
    store = build(folder / "t10k-images-idx3-ubyte", **OPTIONS, valid_share=0.3)
    assert len(store.index) == 60
    assert set(store.index["split"]) == {"train", "valid"}
    assert store.index["label"].notna().all()


def test_files_of_equal_names_in_two_folders_of_a_zip(tmp_path: Path, build: Build) -> None:
    first, second = (mnist(tmp_path / "x" / name, True) for name in ("first", "second"))
    images, _ = digits(5, 7)
    (second / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for path in (*first.iterdir(), *second.iterdir()):
            archive.write(path, path.relative_to(tmp_path / "x"))
    for source in (tmp_path / "x", tmp_path / "x.zip"):
        store = build(source, **OPTIONS)
        assert len(store.index) == 7 + 40 + 7  # the second training file repeats the first
        assert np.array_equal(store.images[-7:, :, :, 0], images)


def test_members_of_an_archive_with_similar_names(tmp_path: Path, build: Build) -> None:
    parts = {"a/b": digits(1, 5), "a_b": digits(2, 5)}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for folder, (images, labels) in parts.items():
            archive.writestr(f"{folder}/t10k-images-idx3-ubyte", idx(images))
            archive.writestr(f"{folder}/t10k-labels-idx1-ubyte", idx(labels))
    stored = build(tmp_path / "x.zip", **OPTIONS).images[..., 0]
    assert np.array_equal(stored, np.concatenate([images for images, _ in parts.values()]))


def test_images_without_labels(tmp_path: Path, build: Build) -> None:
    folder = mnist(tmp_path / "x")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert build(folder / "t10k-images-idx3-ubyte", **OPTIONS).classes == []


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("images-idx3", lambda data: data[:-1], r"has 519 bytes, expected 520 by its header"),
        ("images-idx3", lambda data: data + b"x", r"has 521 bytes, expected 520 by its header"),
        ("images-idx3", lambda data: b"\0\0\x0d\3" + data[4:], "begins with 00 00 0d 03, expected"),
        ("images-idx3", lambda data: b"", "begins with nothing"),
        ("images-idx3", lambda data: data[:9], "by its header"),
        ("labels-idx1", lambda data: data[:-2], r"has 13 bytes, expected 15 by its header"),
        ("labels-idx1", lambda _: idx(np.zeros(5)), "has 5 labels, expected one for each of the 7"),
        ("labels-idx1", lambda _: idx(np.zeros((7, 2, 2))), "begins with 00 00 08 03"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_files_are_one_line(
    tmp_path: Path, build: Build, file: str, change: object, message: str, packed: bool
) -> None:
    folder = mnist(tmp_path / "x", packed)
    path = folder / f"t10k-{file}-ubyte{'.gz' if packed else ''}"
    data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    changed = change(data)  # type: ignore[operator]
    path.write_bytes(gzip.compress(changed) if packed else changed)
    with pytest.raises(UserError, match=message):
        build(folder, **OPTIONS)
    assert not (tmp_path / "stores").exists()


def test_a_truncated_gzip_is_one_line(tmp_path: Path, build: Build) -> None:
    folder = mnist(tmp_path / "x", True)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz: damaged or incomplete"):
        build(folder, **OPTIONS)


def test_the_split_may_follow_a_prefix_in_a_folder_called_images(
    tmp_path: Path, build: Build
) -> None:
    """EMNIST has such names. The search for labels must not change the name of the folder."""
    folder = mnist(tmp_path / "images", test=20)
    for file in list(folder.iterdir()):
        file.rename(folder / f"emnist-letters-{file.name.replace('t10k', 'test')}")
    (tmp_path / "images" / "meta.json").write_text("{}")
    store = build(tmp_path, **OPTIONS, valid_share=0.3)
    assert (store.index["split"] == "test").sum() == 20
    assert store.index["label"].notna().all()


def test_a_file_without_a_split_beside_others_is_refused(tmp_path: Path, build: Build) -> None:
    folder = mnist(tmp_path / "x")
    (folder / "more-images-idx3-ubyte").write_bytes(idx(digits(3, 5)[0]))
    with pytest.raises(UserError, match=r"more-images-idx3-ubyte in .* has no split in its name"):
        build(folder, **OPTIONS)


def test_a_link_to_an_idx_file_is_followed(tmp_path: Path, build: Build) -> None:
    folder = mnist(tmp_path / "x", test=60)
    (tmp_path / "l").mkdir()
    link = tmp_path / "l" / "t10k-images-idx3-ubyte"
    link.symlink_to(folder / link.name)
    (tmp_path / "l" / "circle").symlink_to("circle")
    assert len(build(link, **OPTIONS).index) == 60


def test_labels_are_found_for_other_names(tmp_path: Path, build: Build) -> None:
    images, labels = digits(0, 40)
    (tmp_path / "digit-images.bin").write_bytes(idx(images))
    (tmp_path / "digit-labels.bin").write_bytes(idx(labels))
    store = build(tmp_path / "digit-images.bin", **OPTIONS)
    assert store.index["label"].notna().all()


@pytest.mark.parametrize("labels", ["imagenet-train-labels", "labelnet-train-labels"])
def test_labels_are_found_for_a_data_set_called_imagenet(
    tmp_path: Path, build: Build, labels: str
) -> None:
    folder = mnist(tmp_path / "x")
    for before, after in (("images-idx3", "imagenet-train-images"), ("labels-idx1", labels)):
        (folder / f"train-{before}-ubyte").rename(folder / f"{after}{before[6:]}-ubyte")
    store = build(folder / "imagenet-train-images-idx3-ubyte", **OPTIONS)
    assert store.index["label"].to_list() == [str(number) for number in digits(0, 40)[1]]
