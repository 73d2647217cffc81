"""Images with their factors in one npz, as dSprites has it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.items import IngestRequest
from latent_atlas.metrics.factors import factors_of
from latent_atlas.util.console import FieldError, UserError
from tests.data.sources.pictures import Build

OPTIONS = {"height": 8, "width": 8, "channels": 1, "fit": "stretch"}
COUNT = 60


def arrays() -> dict[str, np.ndarray]:
    """A bright square of two sizes at six positions, in 0 and 1; each image five times."""
    size, place, turn = (part.ravel() for part in np.mgrid[0:2, 0:6, 0:5])
    images = np.zeros((COUNT, 8, 8), np.uint8)
    for number in range(COUNT):
        images[number, 2 : 4 + size[number], place[number] : place[number] + 2] = 1
    classes = np.stack([0 * size, 0 * size, size, turn, place, 0 * size], 1)
    return {"imgs": images, "latents_values": classes / 4 + 0.5, "latents_classes": classes}


def save(path: Path, changes: Mapping[str, object] | None = None) -> Path:
    values = {
        k: v
        for k, v in (dict[str, object](arrays()) | dict(changes or {})).items()
        if v is not None
    }
    np.savez_compressed(path, **values)  # type: ignore[arg-type]
    return path


def test_dsprites(tmp_path: Path, build: Build) -> None:
    metadata = np.array({"title": "of a pickle"}, dtype=object)
    store = build(save(tmp_path / "d.npz", {"metadata": metadata}), **OPTIONS, valid_share=0.3)
    assert store.card["kind"] == "npz with factors"
    assert np.array_equal(store.images[..., 0], arrays()["imgs"] * 255)
    assert store.card["factors"] == ["color", "shape", "scale", "orientation", "x", "y"]
    assert store.index["id"].is_unique
    factors = factors_of(store)
    assert factors is not None
    assert factors.names == ["scale", "orientation", "x"]
    assert factors.kinds == ["discrete"] * 3
    assert np.array_equal(factors.values, arrays()["latents_classes"][:, 2:5])
    # Equal images, which differ in an invisible factor, are in the same split.
    splits = store.index.groupby("sha256")["split"].nunique()
    assert len(splits) == 12
    assert splits.max() == 1


def test_without_classes_the_factors_are_numbers(tmp_path: Path, build: Build) -> None:
    names = np.array(["a", "b", "c", "id", "e", "f"])
    changes = {"latents_classes": None, "latents_names": names}
    store = build(save(tmp_path / "d.npz", changes), **OPTIONS)
    assert store.card["factors"] == ["a", "b", "c", "factor_id", "e", "f"]
    factors = factors_of(store)
    assert factors is not None
    assert factors.kinds == ["continuous"] * 3
    expected = arrays()["latents_values"][:, 2:5]
    np.testing.assert_array_equal(factors.values, expected)


def test_factors_without_names_are_numbered(tmp_path: Path, build: Build) -> None:
    changes = {"latents_classes": None, "latents_values": arrays()["latents_values"][:, 2:4]}
    store = build(save(tmp_path / "d.npz", changes), **OPTIONS)
    assert store.card["factors"] == ["factor_1", "factor_2"]


def test_colour_images_keep_their_bytes(tmp_path: Path, build: Build) -> None:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    changes = {"imgs": np.asfortranarray(images)}
    store = build(save(tmp_path / "d.npz", changes), **(OPTIONS | {"channels": 3}), limit=20)
    rows = [int(origin.split("#")[1]) for origin in store.index["origin"]]
    assert len(rows) == 20
    assert np.array_equal(store.images, images[rows])


def test_an_unpacked_npz_gives_the_same_store(tmp_path: Path, build: Build) -> None:
    with zipfile.ZipFile(save(tmp_path / "d.npz")) as archive:
        archive.extractall(tmp_path / "d")
    unpacked = build(tmp_path / "d", name="unpacked", **OPTIONS)
    packed = build(tmp_path / "d.npz", **OPTIONS)
    assert np.array_equal(unpacked.images, packed.images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents_values": np.zeros((59, 6))}, "imgs.npy has 60 rows and latents_values.npy 59"),
        ({"latents_values": np.zeros(60)}, "latents_values.npy: found float64 60, expected N×K"),
        ({"imgs": np.zeros((60, 8, 8))}, "imgs.npy: found float64 60×8×8, expected N×H×W"),
        ({"imgs": np.zeros((60, 8, 8, 2), np.uint8)}, "imgs.npy: found uint8 60×8×8×2, expected"),
        ({"imgs": np.zeros((0, 8, 8), np.uint8)}, "expected one row per image"),
        ({"latents_classes": np.zeros((60, 5), int)}, "found int64 60×5, expected integers"),
        ({"latents_names": np.array(["a", "b"])}, "found <U1 2, expected 6 texts"),
        ({"latents_names": np.array(["a"] * 6)}, "found a, a, a, a, a, a; expected 6 different"),
        (
            {"latents_values": np.array([None] * 60)},
            "not a readable array .*Python objects",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(
    tmp_path: Path,
    make_request: Callable[..., IngestRequest],
    changes: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(FieldError, match=message) as error:
        open_source(make_request(save(tmp_path / "d.npz", changes)))
    assert str(error.value).startswith("source: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgs": np.zeros((COUNT, 64), np.uint8)}, "imgs.npy: found uint8 60×64, expected N×H×W"),
        ({"imgs": np.zeros((COUNT, 0, 5), np.uint8)}, "imgs.npy: found uint8 60×0×5, expected"),
        ({"latents_values": np.full((COUNT, 6), np.nan)}, "not finite real numbers"),
        ({"latents_values": np.full((COUNT, 6), 1j)}, "not finite real numbers"),
    ],
)
def test_arrays_of_a_wrong_shape_or_type_are_refused(
    tmp_path: Path, build: Build, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build(save(tmp_path / "d.npz", changes), **OPTIONS)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_stream_is_one_line(tmp_path: Path, build: Build, method: int) -> None:
    path = repacked(save(tmp_path / "d.npz"), method)
    data = bytearray(path.read_bytes())
    start = data.index(b"imgs.npy") + len("imgs.npy")
    data[start + 20 : start + 60] = bytes([255]) * 40
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"imgs\.npy: not a readable array"):
        build(path, **OPTIONS)


def test_an_unknown_compression_is_one_line(tmp_path: Path, build: Build) -> None:
    path = repacked(save(tmp_path / "d.npz"), zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        parts = data.split(mark)
        data = mark.join([parts[0], *(p[: at - 4] + b"\x61\0" + p[at - 2 :] for p in parts[1:])])
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"not a readable array .*compression"):
        build(path, **OPTIONS)


def repacked(path: Path, method: int) -> Path:
    """The arrays of an npz with another compression."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
