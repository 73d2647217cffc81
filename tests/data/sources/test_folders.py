"""Folders of images: splits, classes, and rejected files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from tests.data.sources.pictures import Build, encoded, picture, reasons, write_pictures


def test_class_folders(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "hat/1.png", "shoes/1.png", "shoes/2.png")
    store = build(folder)
    assert store.index["origin"].to_list() == ["hat/1.png", "shoes/1.png", "shoes/2.png"]
    assert store.index["label"].to_list() == ["hat", "shoes", "shoes"]
    assert store.card["kind"] == "class folders"


@pytest.mark.parametrize("valid", ["valid", "validation", "val", "Val"])
def test_split_folders_of_class_folders(tmp_path: Path, build: Build, valid: str) -> None:
    names = ["train/hat/1.png", "train/shoes/2.png", f"{valid}/hat/3.png", "test/hat/4.png"]
    store = build(write_pictures(tmp_path / "x", *names))
    rows = dict(
        zip(
            store.index["origin"],
            store.index[["split", "label"]].itertuples(index=False, name=None),
            strict=True,
        )
    )
    assert rows == {
        "train/hat/1.png": ("train", "hat"),
        "train/shoes/2.png": ("train", "shoes"),
        f"{valid}/hat/3.png": ("valid", "hat"),
        "test/hat/4.png": ("test", "hat"),
    }
    assert store.card["splits_from"] == "the source"


def test_split_folders_without_classes(tmp_path: Path, build: Build) -> None:
    store = build(write_pictures(tmp_path / "x", "train/1.png", "train/2.png", "valid/3.png"))
    assert store.index["split"].to_list() == ["train", "train", "valid"]
    assert store.classes == []


@pytest.mark.parametrize("place", ["LICENSE", "train/LICENSE", "valid/hat/LICENSE"])
def test_a_file_without_suffix_does_not_hide_the_splits(
    tmp_path: Path, build: Build, place: str
) -> None:
    folder = write_pictures(
        tmp_path / "x", "train/hat/1.png", "train/shoes/2.png", "valid/hat/3.png"
    )
    (folder / place).write_text("MIT")
    store = build(folder)
    assert store.index["split"].to_list() == ["train", "train", "valid"]
    assert store.index["label"].to_list() == ["hat", "shoes", "hat"]
    assert reasons(store) == {place: "not an image" if "/" in place else "in no split folder"}


def test_a_loose_image_does_not_hide_the_splits(tmp_path: Path, build: Build) -> None:
    names = ["train/hat/1.png", "train/shoes/2.png", "valid/hat/3.png", "preview.png"]
    store = build(write_pictures(tmp_path / "x", *names))
    assert store.index["split"].to_list() == ["train", "train", "valid"]
    assert store.index["label"].to_list() == ["hat", "shoes", "hat"]
    assert reasons(store) == {"preview.png": "in no split folder"}
    store = build(write_pictures(tmp_path / "y", "test/1.png", "2.png", "3.png"))
    assert len(store.index) == 3  # "test" is not a split here


def test_images_without_suffix_are_found_in_splits(tmp_path: Path, build: Build) -> None:
    store = build(write_pictures(tmp_path / "x", "train/1", "valid/2"))
    assert store.card["kind"] == "split folders"
    store = build(write_pictures(tmp_path / "y", "train/hat/1", "valid/hat/2"))
    assert store.card["kind"] == "class folders in split folders"
    assert build(write_pictures(tmp_path / "z", "1", "2")).card["kind"] == "folder of images"


def test_train_and_test_folders_get_a_validation_split(tmp_path: Path, build: Build) -> None:
    names = [f"train/a/{n}.png" for n in range(60)] + [f"test/a/{n}.png" for n in range(20)]
    store = build(write_pictures(tmp_path / "x", *names), valid_share=0.3)
    of_test = store.index["origin"].str.startswith("test/")
    assert (store.index["split"][of_test] == "test").all()
    assert set(store.index["split"][~of_test]) == {"train", "valid"}


def test_a_flat_folder_and_a_single_folder_have_no_classes(tmp_path: Path, build: Build) -> None:
    flat = write_pictures(tmp_path / "x", "1.png", "2.png")
    wrapped = write_pictures(tmp_path / "y", "photos/1.png", "photos/2.png")
    assert build(flat).classes == []
    store = build(wrapped)
    assert store.classes == []
    assert store.index["origin"].to_list() == ["1.png", "2.png"]


def test_deeper_folders_belong_to_the_class_at_the_top(tmp_path: Path, build: Build) -> None:
    store = build(write_pictures(tmp_path / "x", "dog/puppy/1.png", "dog/2.png", "cat/3.png"))
    assert store.index["label"].to_list() == ["cat", "dog", "dog"]


def test_order_does_not_depend_on_the_disk(tmp_path: Path, build: Build) -> None:
    names = ["b/2.png", "a/10.png", "a/9.png", "a-b/1.png", "B/1.png"]
    store = build(write_pictures(tmp_path / "x", *names))
    origins = store.index["origin"].to_list()
    assert origins == sorted(names, key=lambda name: name.split("/"))


def test_every_other_file_is_on_the_card(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "a/1.png", "b/2.png", "c/3")
    (folder / "notes.txt").write_text("hello")
    (folder / "a" / "empty.jpg").touch()
    (folder / "a" / "half.png").write_bytes(encoded(picture(7))[:60])
    (folder / "a" / "text.jpg").write_text("no picture")
    (folder / "a" / "twin.png").write_bytes((folder / "b" / "2.png").read_bytes())
    (folder / ".DS_Store").write_text("clutter")
    (folder / "a" / "Thumbs.db").write_text("clutter")
    store = build(folder)
    assert store.index["origin"].to_list() == ["a/1.png", "a/twin.png", "c/3"]
    assert reasons(store) == {
        "a/empty.jpg": "empty file",
        "a/half.png": "truncated",
        "a/text.jpg": "not an image",
        "b/2.png": "duplicate of a/twin.png",
        "notes.txt": "not an image",
    }


def test_links_out_of_the_folder_are_rejected(tmp_path: Path, build: Build) -> None:
    outside = write_pictures(tmp_path / "outside", "secret.png", first=50)
    folder = write_pictures(tmp_path / "x", "a/1.png", "b/2.png")
    (folder / "a" / "link.png").symlink_to(outside / "secret.png")
    (folder / "c").symlink_to(outside)
    (folder / "b" / "again.png").symlink_to(folder / "a" / "1.png")
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "b" / "nothing.png").symlink_to(folder / "nowhere.png")
    store = build(folder)
    assert store.index["origin"].to_list() == ["a/1.png", "b/2.png"]
    rejected = reasons(store)
    assert rejected["a/link.png"] == rejected["c"] == "link that leaves the folder"
    assert rejected["b/again.png"] == "duplicate of a/1.png"
    assert rejected["b/loop"] == rejected["b/nothing.png"] == "not a file"


def test_a_link_as_source_is_followed(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "a/1.png", "b/2.png")
    (tmp_path / "link").symlink_to(folder)
    assert len(build(tmp_path / "link").index) == 2


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_of_invalid_bytes_is_rejected(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "1.png", "2.png")
    try:
        (folder / "2.png").rename(folder / os.fsdecode(b"\xff.png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    assert list(reasons(build(folder)).values()) == ["file name is not printable"]


def test_an_empty_folder_is_refused(tmp_path: Path, build: Build) -> None:
    (tmp_path / "x" / "a").mkdir(parents=True)
    with pytest.raises(UserError, match=r"data\.mine\.source: .*x is empty; expected images"):
        build(tmp_path / "x")
    assert not (tmp_path / "stores").exists()


def test_a_folder_of_text_files_is_refused(tmp_path: Path, build: Build) -> None:
    (tmp_path / "x").mkdir()
    for number in range(3):
        (tmp_path / "x" / f"{number}.txt").write_text("text")
    with pytest.raises(
        UserError, match=r"stores/mine: no usable image in .*x \(3 rejected: not an image\)"
    ):
        build(tmp_path / "x")
    assert list((tmp_path / "stores").iterdir()) == []
