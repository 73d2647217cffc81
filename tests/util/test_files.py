"""Atomic writing, and the walk in a stable order."""

from __future__ import annotations

from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from latent_atlas.util.files import walk, write_bytes, write_folder, write_json


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": 1\n}\n'
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["x.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(UserError, match="x: cannot be written"):
        write_bytes(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["x"]
    with pytest.raises(UserError, match="cannot be written"):
        write_bytes(path / "inside" / "y", b"new")


def test_walk_sorts_by_the_parts_of_names(tmp_path: Path) -> None:
    for name in ("b.x", "a/2", "a-b/1", "a/10", "B/z/1", ".hidden/x", "a/.x", "__MACOSX/1"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    names = [name for name, _ in walk(tmp_path)]
    assert names == ["B/z/1", "a/10", "a/2", "a/loop", "a-b/1", "b.x"]
    assert names == sorted(names, key=lambda name: name.split("/"))


def test_a_folder_is_replaced_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x"
    with write_folder(path) as part:
        (part / "old").touch()
    with pytest.raises(ZeroDivisionError), write_folder(path) as part:
        (part / "new").touch()
        raise ZeroDivisionError
    assert [file.name for file in path.iterdir()] == ["old"]
    with write_folder(path) as part:
        (part / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]
    assert [file.name for file in path.parent.iterdir()] == ["x"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="x: cannot be written"),
        write_folder(tmp_path / "file" / "x"),
    ):
        pytest.fail("there is no such folder")
