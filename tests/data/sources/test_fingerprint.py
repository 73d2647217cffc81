"""Fingerprints of sources: a new one whenever something may have changed, the same otherwise."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from latent_atlas.data.sources.fingerprint import fingerprint, image_folder
from latent_atlas.util.console import FieldError, run_command
from stages.sources import main
from tests.util.server import Server, serving

PARAMS = Path(__file__).parents[3] / "params.yaml"


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
def test_a_source_that_a_name_defines_never_changes(source: str) -> None:
    assert fingerprint(source) == {"source": source}


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
    before = fingerprint(str(folder))
    assert fingerprint(str(folder)) == before
    change(folder)
    assert fingerprint(str(folder)) != before


def test_clutter_is_no_change_and_a_broken_link_no_failure(tmp_path: Path) -> None:
    folder = images(tmp_path / "x")
    before = fingerprint(str(folder))
    (folder / ".DS_Store").touch()
    assert fingerprint(str(folder)) == before
    (folder / "dead").symlink_to(folder / "nowhere")
    assert fingerprint(str(folder))["count"] == 4


def test_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_text("one")
    before = fingerprint(str(path))
    (tmp_path / "beside.zip").touch()
    assert fingerprint(path.as_uri())["file"] == before["file"]
    os.utime(path, ns=(1, 1))
    assert fingerprint(str(path)) != before


@pytest.mark.parametrize("name", [".info.csv", "annotations/.instances.json"])
def test_a_hidden_file_as_source_is_part_of_its_fingerprint(tmp_path: Path, name: str) -> None:
    path = images(tmp_path / "x") / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("one")
    before = fingerprint(str(path))
    path.write_text("other")
    assert fingerprint(str(path)) != before


@pytest.mark.parametrize("name", ["info.csv", "annotations/instances.json"])
def test_images_around_a_description_are_part_of_its_fingerprint(tmp_path: Path, name: str) -> None:
    folder = images(tmp_path / "x")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    before = fingerprint(str(folder / name))
    _touch(folder)
    assert fingerprint(str(folder / name)) != before


def test_labels_beside_an_idx_file_are_part_of_its_fingerprint(tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "other.txt"):
        (tmp_path / name).touch()
    source = str(tmp_path / "train-images-idx3-ubyte")
    before = fingerprint(source)
    (tmp_path / "other.txt").write_text("changed")
    assert fingerprint(source) == before
    (tmp_path / "train-labels-idx1-ubyte").write_text("changed")
    assert fingerprint(source) != before


def test_a_missing_path() -> None:
    with pytest.raises(FieldError, match=r"^source: found '../nowhere', but there is no file"):
        fingerprint("../nowhere")


def test_a_changed_url(server: Server) -> None:
    url = f"{server.address}/images.zip"
    before = fingerprint(url)
    assert fingerprint(url) == before
    assert {method for method, _, _ in server.received} == {"HEAD"}
    server.files["/images.zip"] = b"changed"
    assert fingerprint(url) != before


def test_a_fingerprint_has_no_secret(server: Server) -> None:
    host = server.address.removeprefix("http://")
    state = fingerprint(f"http://me:secret@{host}/images.zip?token=secret")
    other = fingerprint(f"http://me:secret@{host}/images.zip?token=other")
    assert "secret" not in json.dumps(state)
    assert state["source"] == other["source"]
    assert state != other


def run(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    values = yaml.safe_load(PARAMS.read_text())
    values["data"] = {
        **values["data"],
        "mine": {"source": source, "height": 32, "width": 32},
    }
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    monkeypatch.setattr(sys, "argv", ["sources"])
    run_command(main)


STATE = Path("data/mine.source.json")


def test_the_stage_writes_a_state_per_source_and_keeps_unchanged_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = images(tmp_path / "x")
    run(monkeypatch, "../x")
    names = list(yaml.safe_load(Path("params.yaml").read_text())["data"])
    assert sorted(path.name for path in Path("data").iterdir()) == sorted(
        f"{name}.source.json" for name in names
    )
    before = STATE.stat()
    run(monkeypatch, "../x")
    after = STATE.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    _touch(folder)
    run(monkeypatch, "../x")
    assert STATE.stat().st_ino != before.st_ino


def test_the_state_stays_if_the_server_does_not_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    before = STATE.read_bytes()
    server.statuses = [503] * 10
    run(monkeypatch, url)
    assert STATE.read_bytes() == before
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "cannot be reached (status 503" in printed
    assert "assuming that it has not changed" in printed


def test_a_new_url_is_an_error_if_the_server_does_not_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, f"{server.address}/images.zip")
    before = STATE.read_bytes()
    server.statuses = [503] * 10
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, f"{server.address}/others.zip")
    assert left.value.code == 1
    assert "error: data.mine.source: " in capsys.readouterr().err
    assert STATE.read_bytes() == before


def test_a_removed_file_at_a_url_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    del server.files["/images.zip"]
    with pytest.raises(SystemExit):
        run(monkeypatch, url)
    assert "answers 404" in capsys.readouterr().err


def test_a_damaged_state_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "sklearn:digits")
    STATE.write_text("{")
    run(monkeypatch, "sklearn:digits")
    assert json.loads(STATE.read_text()) == {"source": "sklearn:digits"}


def test_labels_with_an_idx_suffix_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "train-images.idx3").write_bytes(b"images")
    labels = tmp_path / "train-labels.idx1"
    labels.write_bytes(b"labels")
    (tmp_path / "x-ubyte").symlink_to("nowhere")
    before = fingerprint(str(tmp_path / "train-images.idx3"))
    labels.write_bytes(b"others, and more")
    assert fingerprint(str(tmp_path / "train-images.idx3")) != before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("~nosuchuser/x", "there is no such user; write the whole path"),
        ("a" * 300, "there is no file or folder"),
        ("http://[::1/x.zip", r"^source: http://… is not a valid URL"),
        ("zip://a::/nonexistent.zip", "is a chain of URLs; give only the part after its last ::"),
        ("ftp://127.0.0.1:1/x.zip", r"cannot be reached \(ConnectionRefusedError\)"),
        ("github://x", r"cannot be reached \(TypeError\)"),
    ],
)
def test_invalid_sources_are_one_line(source: str, message: str) -> None:
    with pytest.raises(FieldError, match=message):
        fingerprint(source)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_labels_that_the_ingestion_reads_are_part_of_the_fingerprint(
    tmp_path: Path, packed: str
) -> None:
    images, labels = tmp_path / "digit-images.bin", tmp_path / f"digit-labels.bin{packed}"
    images.write_bytes(b"images")
    labels.write_bytes(b"labels")
    before = fingerprint(str(images))
    labels.write_bytes(b"others, and more")
    assert fingerprint(str(images)) != before


def test_a_server_without_any_version_is_reported(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    run(monkeypatch, url)
    assert capsys.readouterr().err == ""
    server.etags = server.lengths = False
    run(monkeypatch, url)
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "data.mine.source" in printed
    assert "dvc repro --force ingest@mine" in printed


def test_a_folder_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = images(tmp_path / "images")
    scan = os.scandir

    def scandir(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(FieldError, match=r"^source: .*images/b cannot be read \(Permission den"):
        fingerprint(str(folder))


@pytest.mark.parametrize(
    "path, folder",
    [
        ("x/info.csv", "x"),
        ("x/annotations/a.json", "x"),
        ("x/a.json", "x"),
        ("x/annotations/a.csv", "x/annotations"),
    ],
)
def test_the_image_folder_of_a_description(path: str, folder: str) -> None:
    assert image_folder(Path(path)) == Path(folder)
