"""The image store: deterministic bytes, atomic writing, and damage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.data.store import COLUMNS, StoreWriter, open_store, split_of
from latent_atlas.util.console import UserError


def rows(start: int, count: int, label: str | None = "a", **columns: Any) -> pd.DataFrame:
    numbers = range(start, start + count)
    return pd.DataFrame(
        {
            "id": [f"{number:04}" for number in numbers],
            "split": ["valid" if number % 5 == 0 else "train" for number in numbers],
            "label": [label] * count,
            "origin": [f"{number}.png" for number in numbers],
            "sha256": [f"{number:064x}" for number in numbers],
            **{name: [value] * count for name, value in columns.items()},
        }
    )


def pictures(seed: int, count: int, shape: tuple[int, int, int] = (4, 3, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def write(path: Path, *blocks: tuple[np.ndarray, pd.DataFrame], **options: Any) -> None:
    height, width, channels = blocks[0][0].shape[1:]
    with StoreWriter(path, height, width, channels) as writer:
        for images, index in blocks:
            writer.append(images, index)
        writer.finish(**{"name": "mine", "source": "here", "licence": "CC0-1.0", **options})


def test_a_written_store_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "data" / "mine"
    blocks = [(pictures(0, 7), rows(0, 7)), (pictures(1, 5), rows(7, 5, "b"))]
    write(path, *blocks, rejected=[{"origin": "x", "reason": "no image"}], notes={"seed": 3})
    store = open_store(path)
    assert np.array_equal(store.images, np.concatenate([images for images, _ in blocks]))
    assert store.index[list(COLUMNS)].to_dict("list") == pd.concat(
        [index for _, index in blocks]
    ).to_dict("list")
    assert (store.name, store.shape, store.classes) == ("mine", (4, 3, 3), ["a", "b"])
    assert store.labels().tolist() == [0] * 7 + [1] * 5
    assert store.rows("valid").tolist() == [0, 5, 10]
    assert store.rows("test").tolist() == []
    assert store.card["rejected"] == [{"origin": "x", "reason": "no image"}]
    assert store.card["seed"] == 3
    assert store.card["images"] == 12
    assert store.card["splits"] == {
        "train": {"images": 9, "classes": {"a": 5, "b": 4}},
        "valid": {"images": 3, "classes": {"a": 2, "b": 1}},
    }
    assert sorted(file.name for file in path.iterdir()) == [
        "card.json",
        "images.npy",
        "index.parquet",
    ]
    assert [file.name for file in path.parent.iterdir()] == ["mine"]


def test_images_are_a_read_only_memory_map_in_npy_format(tmp_path: Path) -> None:
    write(tmp_path / "x", (pictures(0, 7), rows(0, 7)))
    store = open_store(tmp_path / "x")
    assert isinstance(store.images.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0
    loaded = np.load(tmp_path / "x" / "images.npy", allow_pickle=False)
    assert np.array_equal(loaded, store.images)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([1, 3]),
)
def test_the_size_of_blocks_changes_no_byte(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    height: int,
    width: int,
    channels: int,
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    total = sum(sizes)
    images, index = pictures(1, total, (height, width, channels)), rows(0, total)
    cuts = np.cumsum([0, *sizes])
    parts = [(images[start:end], index[start:end]) for start, end in pairwise(cuts)]
    write(folder / "whole", (images, index))
    write(folder / "parts", *parts)
    for file in ("images.npy", "index.parquet", "card.json"):
        assert (folder / "whole" / file).read_bytes() == (folder / "parts" / file).read_bytes()
    assert np.array_equal(open_store(folder / "parts").images, images)


def test_labels_that_are_missing_in_whole_blocks(tmp_path: Path) -> None:
    write(
        tmp_path / "x",
        (pictures(0, 3), rows(0, 3, None)),
        (pictures(1, 3), rows(3, 3, "b")),
        (pictures(2, 3), rows(6, 3, None)),
    )
    store = open_store(tmp_path / "x")
    assert store.classes == ["b"]
    assert store.labels().tolist() == [-1] * 3 + [0] * 3 + [-1] * 3
    write(tmp_path / "y", (pictures(0, 3), rows(0, 3, None)))
    assert open_store(tmp_path / "y").classes == []
    assert open_store(tmp_path / "y").labels().tolist() == [-1] * 3


def test_the_digest_depends_on_pixels_and_index(tmp_path: Path) -> None:
    images = pictures(0, 6)
    write(tmp_path / "a", (images, rows(0, 6)))
    write(tmp_path / "b", (images, rows(0, 6)), licence="other", source="elsewhere")
    write(tmp_path / "c", (images, rows(1, 6)))
    changed = images.copy()
    changed[5, 3, 2, 2] ^= 1
    write(tmp_path / "d", (changed, rows(0, 6)))
    digests = [open_store(tmp_path / name).digest for name in "abcd"]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_leaving_the_block_early_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "x", 4, 3, 3) as writer:
        writer.append(pictures(0, 3), rows(0, 3))
        raise RuntimeError
    with StoreWriter(tmp_path / "x", 4, 3, 3) as writer:
        writer.append(pictures(0, 3), rows(0, 3))
    assert list(tmp_path.iterdir()) == []


def test_an_older_store_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    digest = open_store(tmp_path / "x").digest
    with StoreWriter(tmp_path / "x", 4, 3, 3) as writer:
        writer.append(pictures(1, 3), rows(0, 3))
        assert open_store(tmp_path / "x").digest == digest
    assert open_store(tmp_path / "x").digest == digest
    write(tmp_path / "x", (pictures(1, 3), rows(0, 3)))
    assert open_store(tmp_path / "x").digest != digest


def test_the_remains_of_a_killed_run_are_removed_by_the_next(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "x", 4, 3, 3)
    writer.append(pictures(0, 3), rows(0, 3))
    del writer
    assert len(list(tmp_path.iterdir())) == 1
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_an_empty_store_is_refused_with_the_reasons(tmp_path: Path) -> None:
    rejected = [{"origin": "1", "reason": "truncated"}, {"origin": "2", "reason": "truncated"}]
    with StoreWriter(tmp_path / "x", 4, 3, 3) as writer:
        with pytest.raises(UserError, match=r"x: no usable image in here \(2 rejected: trunc"):
            writer.finish(name="mine", source="here", licence="", rejected=rejected)
        with pytest.raises(UserError, match=r"x: no usable image in here; expected at least one$"):
            writer.finish(name="mine", source="here", licence="")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "images, index",
    [
        (pictures(0, 3, (4, 3, 1)), rows(0, 3)),
        (pictures(0, 3, (3, 4, 3)), rows(0, 3)),
        (pictures(0, 3).astype(np.float32), rows(0, 3)),
        (pictures(0, 3), rows(0, 2)),
        (pictures(0, 3), rows(0, 3).drop(columns="label")),
    ],
)
def test_a_block_of_another_shape_is_refused(
    tmp_path: Path, images: np.ndarray, index: pd.DataFrame
) -> None:
    with (
        StoreWriter(tmp_path / "x", 4, 3, 3) as writer,
        pytest.raises(ValueError, match="expected"),
    ):
        writer.append(images, index)


def test_a_store_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/x: cannot be written"):
        StoreWriter(tmp_path / "file" / "x", 4, 3, 3)


def test_a_file_or_link_in_its_place_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(UserError, match=rf"{name}: found a file or a link, .*; move it away"):
            StoreWriter(tmp_path / name, 4, 3, 3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "link"]


def test_a_store_that_cannot_be_replaced_is_one_line(tmp_path: Path) -> None:
    with (
        StoreWriter(tmp_path / "x", 4, 3, 3) as writer,
        pytest.raises(UserError, match="x: cannot be written"),
    ):
        writer.append(pictures(0, 3), rows(0, 3))
        (tmp_path / "x").touch()  # meanwhile
        writer.finish(name="mine", source="here", licence="")
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    with StoreWriter(tmp_path / "x", 4, 3, 3) as writer:
        monkeypatch.setattr(writer, "_file", Full())
        with pytest.raises(UserError, match=r"x: cannot be written .No space left on device"):
            writer.append(pictures(0, 3), rows(0, 3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["images.npy", "index.parquet", "card.json"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    (tmp_path / "x" / file).unlink()
    with pytest.raises(UserError, match=rf"x: not an image store \({file} is missing\); run `dvc"):
        open_store(tmp_path / "x")


@pytest.mark.parametrize("file", ["images.npy", "index.parquet", "card.json"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_a_truncated_file_is_reported_as_damage(tmp_path: Path, file: str, keep: float) -> None:
    write(tmp_path / "x", (pictures(0, 30), rows(0, 30)))
    path = tmp_path / "x" / file
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UserError, match="x: damaged image store"):
        open_store(tmp_path / "x")


def test_images_and_index_of_two_stores_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    write(tmp_path / "y", (pictures(0, 4), rows(0, 4)))
    (tmp_path / "y" / "images.npy").replace(tmp_path / "x" / "images.npy")
    with pytest.raises(UserError, match=r"images\.npy has uint8 \(4, 4, 3, 3\) but the index 3"):
        open_store(tmp_path / "x")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    np.save(tmp_path / "x" / "images.npy", np.array([{}, {}, {}]), allow_pickle=True)
    with pytest.raises(UserError, match="damaged image store"):
        open_store(tmp_path / "x")


def test_the_card_is_sorted_json(tmp_path: Path) -> None:
    write(tmp_path / "x", (pictures(0, 3), rows(0, 3)))
    text = (tmp_path / "x" / "card.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


@given(st.floats(0, 0.999), st.integers(0, 2**256 - 1))
def test_split_of_is_monotonic_in_the_share(share: float, number: int) -> None:
    digest = f"{number:064x}"
    assert split_of(digest, 0.0) == "train"
    if split_of(digest, share) == "valid":
        assert split_of(digest, min(share * 1.001 + 1e-9, 0.9999)) == "valid"


def test_split_of_is_the_share_of_the_first_32_bits() -> None:
    assert split_of("00000000" + "f" * 56, 1e-9) == "valid"
    assert split_of("7fffffff" + "f" * 56, 0.5) == "valid"
    assert split_of("80000000" + "0" * 56, 0.5) == "train"


def test_a_card_is_read_equally_in_every_locale(tmp_path: Path) -> None:
    write(tmp_path / "s", (pictures(0, 5), rows(0, 5, label="Mäntel")), source="Kleider – 2026")
    code = (
        "import sys\nfrom pathlib import Path\nfrom latent_atlas.data.store import open_store\n"
        "sys.stdout.buffer.write(open_store(Path(sys.argv[1])).card['source'].encode())"
    )
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        env={**os.environ, **ascii_only},
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == "Kleider – 2026"
