"""Fingerprints of sources: another one whenever something may have changed, the same otherwise."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from latent_atlas.data.sources import http
from latent_atlas.data.sources.fingerprint import fingerprint
from latent_atlas.util.console import UserError, run_command
from stages.sources import main
from tests.util.server import Server, serving

PARAMS = Path(__file__).parents[3] / "params.yaml"
KEY = "data.mine.source"


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "repository"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.delenv("LATENT_ATLAS_ROOT", raising=False)
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.001)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.files["/images.zip"] = b"content"
        yield server


def images(folder: Path) -> Path:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("source", ["drawn:circles_mono", "sklearn:digits", "torchvision:MNIST"])
def test_what_a_name_defines_never_changes(source: str) -> None:
    assert fingerprint(source, KEY) == {"source": source}


def _touch(folder: Path) -> None:
    os.utime(folder / "a" / "1.jpg", ns=(1, 1))


def _grow(folder: Path) -> None:
    path = folder / "a" / "1.jpg"
    times = path.stat()
    path.write_text("longer than before")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _add(folder: Path) -> None:
    (folder / "b" / "2.jpg").touch()


def _remove(folder: Path) -> None:
    (folder / "b" / "1.jpg").unlink()


def _rename(folder: Path) -> None:
    (folder / "b").rename(folder / "c")


@pytest.mark.parametrize("change", [_touch, _grow, _add, _remove, _rename])
def test_a_changed_folder(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = images(tmp_path / "x")
    before = fingerprint(str(folder), KEY)
    assert fingerprint(str(folder), KEY) == before
    change(folder)
    assert fingerprint(str(folder), KEY) != before


def test_clutter_and_dead_links_are_no_change_and_no_failure(tmp_path: Path) -> None:
    folder = images(tmp_path / "x")
    before = fingerprint(str(folder), KEY)
    (folder / ".DS_Store").touch()
    assert fingerprint(str(folder), KEY) == before
    (folder / "dead").symlink_to(folder / "nowhere")
    assert fingerprint(str(folder), KEY)["count"] == 4


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_text("one")
    before = fingerprint(str(path), KEY)
    (tmp_path / "beside.zip").touch()
    assert fingerprint(path.as_uri(), KEY)["file"] == before["file"]
    os.utime(path, ns=(1, 1))
    assert fingerprint(str(path), KEY) != before


@pytest.mark.parametrize("name", [".info.csv", "annotations/.instances.json"])
def test_a_hidden_file_that_is_the_source_belongs_to_it(tmp_path: Path, name: str) -> None:
    path = images(tmp_path / "x") / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("one")
    before = fingerprint(str(path), KEY)
    path.write_text("other")
    assert fingerprint(str(path), KEY) != before


@pytest.mark.parametrize("name", ["info.csv", "annotations/instances.json"])
def test_the_images_that_a_file_names_belong_to_it(tmp_path: Path, name: str) -> None:
    folder = images(tmp_path / "x")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    before = fingerprint(str(folder / name), KEY)
    _touch(folder)
    assert fingerprint(str(folder / name), KEY) != before


def test_the_labels_beside_an_idx_file_belong_to_it(tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "other.txt"):
        (tmp_path / name).touch()
    source = str(tmp_path / "train-images-idx3-ubyte")
    before = fingerprint(source, KEY)
    (tmp_path / "other.txt").write_text("changed")
    assert fingerprint(source, KEY) == before
    (tmp_path / "train-labels-idx1-ubyte").write_text("changed")
    assert fingerprint(source, KEY) != before


def test_a_missing_path() -> None:
    with pytest.raises(UserError, match=rf"{KEY}: found '../nowhere', but there is no file or fol"):
        fingerprint("../nowhere", KEY)


def test_a_url(server: Server) -> None:
    url = f"{server.address}/images.zip"
    before = fingerprint(url, KEY)
    assert fingerprint(url, KEY) == before
    assert {method for method, _, _ in server.asked} == {"HEAD"}
    server.files["/images.zip"] = b"changed"
    assert fingerprint(url, KEY) != before


def test_no_secret_is_in_it(server: Server) -> None:
    host = server.address.removeprefix("http://")
    found = fingerprint(f"http://me:secret@{host}/images.zip?token=secret", KEY)
    other = fingerprint(f"http://me:secret@{host}/images.zip?token=other", KEY)
    assert "secret" not in json.dumps(found)
    assert found["source"] == other["source"]
    assert found != other


def run(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    values = yaml.safe_load(PARAMS.read_text())
    values["data"] = {
        **values["data"],
        "mine": {"source": source, "height": 32, "width": 32},
    }
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    monkeypatch.setattr(sys, "argv", ["sources"])
    run_command(main)


NOTE = Path("data/mine.source.json")


def test_the_door_writes_a_note_for_each_and_leaves_what_is_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = images(tmp_path / "x")
    run(monkeypatch, "../x")
    names = list(yaml.safe_load(Path("params.yaml").read_text())["data"])
    assert sorted(path.name for path in Path("data").iterdir()) == sorted(
        f"{name}.source.json" for name in names
    )
    before = NOTE.stat()
    run(monkeypatch, "../x")
    after = NOTE.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    _touch(folder)
    run(monkeypatch, "../x")
    assert NOTE.stat().st_ino != before.st_ino


def test_without_a_network_the_note_stays(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    before = NOTE.read_bytes()
    server.statuses = [503] * 10
    run(monkeypatch, url)
    assert NOTE.read_bytes() == before
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert "cannot be reached (status 503" in found
    assert "taking it to be unchanged" in found


def test_without_a_network_a_new_url_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, f"{server.address}/images.zip")
    before = NOTE.read_bytes()
    server.statuses = [503] * 10
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, f"{server.address}/others.zip")
    assert left.value.code == 1
    assert "error: data.mine.source: " in capsys.readouterr().err
    assert NOTE.read_bytes() == before


def test_a_url_that_is_gone_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    del server.files["/images.zip"]
    with pytest.raises(SystemExit):
        run(monkeypatch, url)
    assert "answers 404" in capsys.readouterr().err


def test_a_damaged_note_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "sklearn:digits")
    NOTE.write_text("{")
    run(monkeypatch, "sklearn:digits")
    assert json.loads(NOTE.read_text()) == {"source": "sklearn:digits"}


def test_labels_of_an_idx_file_by_any_name_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "train-images.idx3").write_bytes(b"images")
    labels = tmp_path / "train-labels.idx1"
    labels.write_bytes(b"labels")
    (tmp_path / "x-ubyte").symlink_to("nowhere")
    before = fingerprint(str(tmp_path / "train-images.idx3"), KEY)
    labels.write_bytes(b"others, and more")
    assert fingerprint(str(tmp_path / "train-images.idx3"), KEY) != before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("~nosuchuser/x", "there is no such user"),
        ("a" * 300, "there is no file or folder"),
        ("http://[::1/x.zip", "source http://…: this is no URL"),
        ("zip://a::/nonexistent.zip", "is a chain of URLs; give what stands behind its last ::"),
        ("ftp://127.0.0.1:1/x.zip", "cannot be reached .ConnectionRefusedError"),
        ("github://x", "cannot be reached .TypeError"),
    ],
)
def test_odd_sources_are_one_line(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        fingerprint(source, KEY)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_labels_that_ingestion_would_take_belong_to_the_images(tmp_path: Path, packed: str) -> None:
    images, labels = tmp_path / "digit-images.bin", tmp_path / f"digit-labels.bin{packed}"
    images.write_bytes(b"images")
    labels.write_bytes(b"labels")
    before = fingerprint(str(images), KEY)
    labels.write_bytes(b"others, and more")
    assert fingerprint(str(images), KEY) != before


def test_a_server_that_tells_nothing_is_mentioned(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    assert capsys.readouterr().err == ""
    server.etags = server.lengths = False
    run(monkeypatch, url)
    found = capsys.readouterr().err
    assert found.count("\n") == 1
    assert "data.mine.source" in found
    assert "dvc repro --force ingest@mine" in found


def test_a_folder_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = images(tmp_path / "images")
    scan = os.scandir

    def scandir(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UserError, match=rf"{KEY}: .*images/b cannot be read \(Permission denied\)"):
        fingerprint(str(folder), KEY)
