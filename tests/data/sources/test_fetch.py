"""Fetching: every way in which a download can go wrong, against a server that does it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFile

from latent_atlas.data.sources import fetch as module
from latent_atlas.data.sources import http, remote
from latent_atlas.data.sources.fetch import (
    existing_path,
    fetch,
    local_path,
    repository,
    scratch,
    version,
)
from latent_atlas.data.sources.urls import UnreachableError, is_url, shown
from latent_atlas.util.console import UserError
from tests.conftest import ROOT
from tests.util.server import Server, serving

KEY = "data.mine.source"
DATA = bytes(range(256)) * 4000  # 1,024,000 bytes
DIGEST = hashlib.sha256(DATA).hexdigest()


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
        server.files["/images.zip"] = DATA
        yield server


def downloads() -> list[str]:
    """What lies in the cache, without locks and records."""
    folder = Path(".cache/downloads")
    found = sorted(folder.iterdir()) if folder.exists() else []
    return [path.name for path in found if path.suffix not in (".lock", ".json")]


# Paths


def test_a_local_path_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    path.write_bytes(DATA)
    for source in (str(path), "../images.zip", path.as_uri(), f"file://localhost{path}"):
        assert fetch(source, KEY, len(DATA), DIGEST).samefile(path)
    assert downloads() == []


def test_a_file_url_is_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "my images#1.zip"
    path.touch()
    assert local_path(path.as_uri()) == path


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/images") == tmp_path / "images"


@pytest.mark.parametrize("source", ["nowhere", "../nowhere", "drawing:circles", "torch:MNIST"])
def test_a_missing_path(source: str) -> None:
    with pytest.raises(UserError, match=rf"{KEY}: found '{source}', but there is no file or fold"):
        existing_path(source, KEY)


def test_relative_paths_in_a_queued_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.cwd()
    copy = real / ".dvc" / "tmp" / "exps" / "standalone" / "tmpabc"
    (copy / "inside").mkdir(parents=True)
    (real / "ignored").mkdir()
    monkeypatch.chdir(copy)
    assert repository() == real
    assert local_path("../images") == tmp_path / "images"
    assert local_path("a/../../images") == tmp_path / "images"
    assert local_path("inside") == copy / "inside"
    assert local_path("ignored") == real / "ignored"


def test_relative_paths_in_a_temporary_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.cwd()
    (tmp_path / "elsewhere" / "clone").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere" / "clone")
    monkeypatch.setenv("LATENT_ATLAS_ROOT", str(real))
    assert local_path("../images") == tmp_path / "images"
    with scratch() as folder:
        assert folder.parent == real / ".cache"
    assert not folder.exists()


@pytest.mark.parametrize(
    "source, expected",
    [
        ("/a/b", False),
        ("a.zip", False),
        ("drawn:circles", False),
        ("C:/x", False),
        ("https://a/b", True),
        ("s3://a/b", True),
        ("zip::https://a/b", True),
    ],
)
def test_is_url(source: str, expected: bool) -> None:
    assert is_url(source) is expected


@pytest.mark.parametrize(
    "source, expected",
    [
        ("https://me:secret@host:8/a.zip?token=secret#secret", "https://host:8/a.zip?…"),
        ("zip://x::https://me:secret@host/a", "zip://x::https://host/a"),
        ("/a?b", "/a?b"),
    ],
)
def test_shown_holds_no_secret(source: str, expected: str) -> None:
    assert shown(source) == expected


def test_the_local_part_imports_nothing_heavy() -> None:
    code = (
        "import sys; import latent_atlas.data.sources.fetch, stages.sources; "
        "heavy = {'numpy', 'pandas', 'torch', 'sklearn', 'requests', 'fsspec', 'PIL'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    root = Path(module.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# http


def test_download_and_use_again(server: Server) -> None:
    url = f"{server.address}/images.zip"
    path = fetch(url, KEY, len(DATA), DIGEST)
    assert path.read_bytes() == DATA
    assert path.name.endswith("-images.zip")
    assert fetch(url, KEY) == path
    assert server.gets() == [None]
    asked = len(server.asked)
    assert fetch(url, KEY, sha256=DIGEST) == path  # the hash says all: no question to the server
    assert len(server.asked) == asked
    assert downloads() == [path.name]


@pytest.mark.parametrize("etags", [True, False])
def test_a_changed_file_is_downloaded_again(server: Server, etags: bool) -> None:
    server.etags, server.date = etags, "Mon, 01 Jan 2024 00:00:00 GMT"
    url = f"{server.address}/images.zip"
    fetch(url, KEY)
    server.files["/images.zip"] = changed = DATA[::-1]
    server.date = "Tue, 02 Jan 2024 00:00:00 GMT"
    assert fetch(url, KEY).read_bytes() == changed


def test_a_server_that_tells_nothing_is_never_trusted(server: Server) -> None:
    server.etags = server.lengths = False
    for data in (DATA, DATA[::-1]):
        server.files["/images.zip"] = data
        assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == data


def test_two_urls_that_look_alike_are_two(server: Server) -> None:
    one = fetch(f"{server.address}/images.zip?id=1", KEY)
    server.files["/images.zip"] = DATA[::-1]
    two = fetch(f"{server.address}/images.zip?id=2", KEY)
    assert (one.read_bytes(), two.read_bytes()) == (DATA, DATA[::-1])


@pytest.mark.parametrize("etags", [True, False])
def test_a_cut_connection_is_resumed(server: Server, etags: bool) -> None:
    server.etags, server.date = etags, "Mon, 01 Jan 2024 00:00:00 GMT"
    server.cut = [300_000, 300_000, 300_000]
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA
    spans = server.gets()
    assert spans[0] is None
    starts = [int(str(span).removeprefix("bytes=").removesuffix("-")) for span in spans[1:]]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert starts[0] > 200_000


def test_many_cuts_with_progress_are_no_reason_to_give_up(server: Server) -> None:
    server.cut = [70_000] * 13
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA


def test_a_server_that_ignores_ranges_starts_anew(server: Server) -> None:
    server.ranges, server.cut = False, [500_000, 200_000]
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA
    assert len(server.gets()) == 3


def test_without_a_validator_it_starts_anew(server: Server) -> None:
    server.etags, server.cut = False, [500_000]
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA
    assert server.gets() == [None, None]


def test_an_interrupted_run_is_resumed_by_the_next(server: Server) -> None:
    url = f"{server.address}/images.zip"
    server.cut = [600_000] + [0] * (http.TRIES - 1)
    with pytest.raises(UserError, match="cannot be reached"):
        fetch(url, KEY)
    assert [name[-5:] for name in downloads()] == [".part"]
    assert fetch(url, KEY).read_bytes() == DATA
    assert str(server.gets()[-1]).startswith("bytes=600000-")


def test_a_part_of_an_older_version_is_not_gone_on_with(server: Server) -> None:
    url = f"{server.address}/images.zip"
    server.cut = [600_000] + [0] * (http.TRIES - 1)
    with pytest.raises(UserError):
        fetch(url, KEY)
    server.files["/images.zip"] = changed = DATA[::-1]
    server.asked.clear()
    assert fetch(url, KEY).read_bytes() == changed
    assert server.gets() == [None]


def test_a_file_that_changes_during_the_download(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = DATA[::-1]
    server.cut = [600_000]
    monkeypatch.setattr("time.sleep", lambda _: server.files.__setitem__("/images.zip", changed))
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == changed


@pytest.mark.parametrize("etags", [True, False])
def test_a_changed_file_from_a_server_that_passes_over_if_range(
    server: Server, monkeypatch: pytest.MonkeyPatch, etags: bool
) -> None:
    """Else the end of the new version would follow the beginning of the old one."""
    server.etags, server.careful, server.date = etags, False, "Mon, 01 Jan 2024 00:00:00 GMT"
    server.cut = [600_000]

    def change(_: float) -> None:
        server.files["/images.zip"], server.date = DATA[::-1], "Tue, 02 Jan 2024 00:00:00 GMT"

    monkeypatch.setattr("time.sleep", change)
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA[::-1]
    assert server.gets() == [None, "bytes=600000-", None]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_passing_failure_is_retried(server: Server, status: int) -> None:
    server.statuses = [status, status]
    assert fetch(f"{server.address}/images.zip", KEY).read_bytes() == DATA


def test_a_lasting_failure_ends_with_one_line(server: Server) -> None:
    server.statuses = [503] * 100
    with pytest.raises(UnreachableError, match=r"images\.zip cannot be reached \(status 503"):
        fetch(f"{server.address}/images.zip", KEY)
    assert len(server.asked) == http.TRIES


@pytest.mark.parametrize("status, hint", [(404, "no such file"), (401, "password"), (410, "check")])
def test_a_refusal_is_not_retried(server: Server, status: int, hint: str) -> None:
    server.statuses = [status]
    with pytest.raises(UserError, match=rf"{KEY}: .*images\.zip answers {status} .*{hint}"):
        fetch(f"{server.address}/images.zip", KEY)
    assert len(server.asked) == 1
    assert downloads() == []


def test_a_server_without_head(server: Server) -> None:
    server.heads = False
    url = f"{server.address}/images.zip"
    assert fetch(url, KEY).read_bytes() == DATA
    assert fetch(url, KEY).read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(server: Server) -> None:
    with pytest.raises(UserError, match=rf"data\.mine\.sha256: .* has {DIGEST}, expected 0000"):
        fetch(f"{server.address}/images.zip", KEY, sha256="0" * 64)
    assert downloads() == []


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
@pytest.mark.parametrize("lengths", [True, False])
def test_a_wrong_size_leaves_nothing(server: Server, size: int, lengths: bool) -> None:
    server.lengths = lengths
    with pytest.raises(UserError, match=r"data\.mine"):
        fetch(f"{server.address}/images.zip", KEY, size=size)
    assert not [name for name in downloads() if not name.endswith(".part")]


def test_more_than_fits_is_refused_before_it_comes(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latent_atlas.data.sources.urls.MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"has 1024000 bytes, but .* has room for 1000"):
        fetch(f"{server.address}/images.zip", KEY)


def test_an_endless_answer_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.lengths = False
    monkeypatch.setattr(http, "MAX_BYTES", 1000)
    with pytest.raises(UserError, match="sends more than 1000 bytes"):
        fetch(f"{server.address}/images.zip", KEY)


def test_without_a_network_the_copy_is_used(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    path = fetch(url, KEY)
    server.statuses = [503] * 100
    capsys.readouterr()
    assert fetch(url, KEY) == path
    assert "cannot be reached; using the copy of the last download" in capsys.readouterr().err
    with pytest.raises(UserError, match="sha256"):
        fetch(url, KEY, sha256="0" * 64)


def test_nobody_listens() -> None:
    with serving() as gone:
        url = f"http://me:secret@127.0.0.1:{gone.server_address[1]}/images.zip?key=secret"
    with pytest.raises(UnreachableError, match=r"/images\.zip\?… cannot be reached") as caught:
        fetch(url, KEY)
    assert "secret" not in str(caught.value)


def test_no_secret_is_written(server: Server) -> None:
    url = f"http://me:secret@{server.address.removeprefix('http://')}/images.zip?key=secret"
    fetch(url, KEY)
    for path in Path(".cache").rglob("*"):
        assert "secret" not in path.name
        assert path.is_dir() or b"secret" not in path.read_bytes()


def test_a_name_that_would_leave_the_cache(server: Server) -> None:
    server.files["/a/..%2F..%2Fb.zip"] = DATA
    path = fetch(f"{server.address}/a/..%2F..%2Fb.zip", KEY)
    assert path.parent == Path.cwd() / ".cache" / "downloads"


def test_a_long_name_in_signs_of_three_bytes(server: Server) -> None:
    server.files["/" + quote("画像" * 60 + ".zip")] = DATA
    path = fetch(f"{server.address}/{'画像' * 60}.zip", KEY)
    assert path.name.endswith("画像.zip")


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".org", "", "127.0.0.1:99999"])
def test_an_address_that_is_none(host: str) -> None:
    for ask in (fetch, version):
        with pytest.raises(UserError, match=rf"{KEY}: http://{host}/x cannot be asked .*; check"):
            ask(f"http://{host}/x", KEY)


def test_the_version_of_a_url(server: Server) -> None:
    found = version(f"{server.address}/images.zip", KEY)
    assert found["Content-Length"] == str(len(DATA))
    assert set(found) == {"ETag", "Content-Length"}


def test_a_cache_that_cannot_be_written_is_told_in_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    downloads = Path(".cache/downloads")
    downloads.parent.mkdir()
    downloads.touch()
    with pytest.raises(UserError, match=r"\.cache/downloads: cannot be written \(File exists\)"):
        fetch(f"{server.address}/images.zip", KEY)
    downloads.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("filelock.FileLock.acquire", refuse)
        with pytest.raises(UserError, match=r"downloads: cannot be written \(Permission denied\)"):
            fetch(f"{server.address}/images.zip", KEY)
        with pytest.raises(UserError, match=r"\.cache: cannot be written"), scratch():
            pass


def test_the_scratch_folder_goes_with_its_block(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        raise ZeroDivisionError
    assert list(Path(".cache").iterdir()) == []


def test_the_scratch_folder_of_a_killed_process_goes_with_the_next(tmp_path: Path) -> None:
    code = """
from latent_atlas.data.sources.fetch import scratch
with scratch() as folder:
    (folder / "file").write_text("much")
    print(folder, flush=True)
    input()
"""
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        with scratch():
            assert (folder / "file").is_file()  # it lives, and so keeps what it has
        other.kill()
    assert (folder / "file").is_file()
    with scratch():
        assert not folder.exists()
    assert list(Path(".cache").iterdir()) == []


# Other file systems


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def test_a_file_of_another_file_system(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/a/images.zip", DATA)
    path = fetch("memory://a/images.zip", KEY, len(DATA), DIGEST)
    assert path.read_bytes() == DATA
    stamp = path.stat().st_mtime_ns
    assert fetch("memory://a/images.zip", KEY).stat().st_mtime_ns == stamp
    memory.pipe("/a/images.zip", DATA[:-1])
    assert fetch("memory://a/images.zip", KEY).read_bytes() == DATA[:-1]


def test_a_folder_of_another_file_system(memory: fsspec.AbstractFileSystem) -> None:
    for name in ("hat/1.png", "hat/2.png", "shoes/3.png"):
        memory.pipe(f"/images/{name}", name.encode())
    path = fetch("memory://images", KEY)
    found = {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*.png")}
    assert found == {name: name for name in ("hat/1.png", "hat/2.png", "shoes/3.png")}
    before = version("memory://images", KEY)
    memory.pipe("/images/hat/4.png", b"4")
    assert version("memory://images", KEY) != before
    assert len(list(fetch("memory://images", KEY).rglob("*.png"))) == 4


class Line:
    """Counts the bytes that come from a file system, and breaks after `left` of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.sent = 10**9, 0
        whole = MemoryFile.read
        monkeypatch.setattr(remote, "_CHUNK", 1000)

        def read(file: MemoryFile, size: int = -1) -> bytes:
            if self.left < size:
                raise ConnectionError
            block = bytes(whole(file, size))
            self.left, self.sent = self.left - len(block), self.sent + len(block)
            return block

        monkeypatch.setattr(MemoryFile, "read", read)

    def breaks(self, source: str, after: int) -> None:
        """Try to download, with a break; then the line is whole again."""
        self.left = after
        with pytest.raises(UnreachableError, match=r"cannot be reached \(ConnectionError\)"):
            fetch(source, KEY)
        self.left, self.sent = 10**9, 0


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def test_a_file_of_another_file_system_is_resumed(
    memory: fsspec.AbstractFileSystem, line: Line
) -> None:
    memory.pipe("/images.zip", DATA)
    line.breaks("memory://images.zip", 600_000)
    assert fetch("memory://images.zip", KEY, sha256=DIGEST).read_bytes() == DATA
    assert line.sent == len(DATA) - 600_000


def test_a_folder_of_another_file_system_is_resumed(
    memory: fsspec.AbstractFileSystem, line: Line
) -> None:
    contents = {f"{number}.bin": bytes([number]) * 10_000 for number in range(3)}
    for name, content in contents.items():
        memory.pipe(f"/images/{name}", content)
    line.breaks("memory://images", 15_000)
    path = fetch("memory://images", KEY)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == contents
    assert line.sent == 15_000


def test_a_changed_file_of_another_file_system_is_not_gone_on_with(
    memory: fsspec.AbstractFileSystem, line: Line
) -> None:
    memory.pipe("/images.zip", DATA)
    line.breaks("memory://images.zip", 600_000)
    memory.pipe("/images.zip", DATA[::-1])
    assert fetch("memory://images.zip", KEY).read_bytes() == DATA[::-1]


def test_what_only_has_a_size_begins_anew(
    memory: fsspec.AbstractFileSystem, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version may be as long."""
    facts = {"type": "file", "name": "/images.zip", "size": len(DATA)}
    monkeypatch.setattr(type(memory), "info", lambda *_: facts)
    memory.pipe("/images.zip", DATA)
    line.breaks("memory://images.zip", 600_000)
    memory.pipe("/images.zip", DATA[::-1])
    assert fetch("memory://images.zip", KEY).read_bytes() == DATA[::-1]


def test_a_file_that_changes_while_another_file_system_sends_it(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/images.zip", DATA)
    whole = remote.copy

    def copy(*asked: Any) -> None:
        whole(*asked)
        memory.pipe("/images.zip", DATA[::-1])

    monkeypatch.setattr(remote, "copy", copy)
    with pytest.raises(UserError, match=r"memory://images\.zip has changed meanwhile; run it"):
        fetch("memory://images.zip", KEY)
    assert downloads() == []


@pytest.mark.parametrize("link", ["simplecache", "filecache", "blockcache", "zip://1.png"])
def test_a_chain_is_refused_before_a_byte_comes(server: Server, link: str) -> None:
    """Its links would download all of a file before the limit counts."""
    server.files["/y.zip"] = DATA
    source = f"{link}::{server.address}/y.zip"
    for ask in (fetch, version):
        with pytest.raises(UserError, match=r"is a chain of URLs; give what .* behind its last ::"):
            ask(source, KEY)
    assert server.asked == []
    assert downloads() == []


@pytest.mark.parametrize(
    "source, message",
    [
        ("memory://nothing/here.zip", "there is no such file or folder"),
        ("gopher://host/file", "unknown kind of URL gopher://"),
        ("s3://bucket/file", "needs a further package .*s3fs"),
    ],
)
def test_what_fsspec_cannot_open(source: str, message: str) -> None:
    if source.startswith("s3"):
        try:
            import s3fs  # type: ignore[import-not-found]  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("s3fs is installed")
    with pytest.raises(UserError, match=rf"{KEY}: {source}.*{message}"):
        fetch(source, KEY)
    assert downloads() == []


def test_more_than_expected_is_cut_off(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the file system says less than it sends."""
    monkeypatch.setattr(remote, "_CHUNK", 100)
    monkeypatch.setattr(type(memory), "info", lambda *_: {"type": "file", "name": "/x", "size": 1})
    memory.pipe("/x", bytes(10_000))
    with pytest.raises(UserError, match="memory://x sends more than 300 bytes"):
        fetch("memory://x", KEY, size=300)
    monkeypatch.setattr(remote, "MAX_BYTES", 500)
    with pytest.raises(UserError, match="memory://x sends more than 500 bytes"):
        fetch("memory://x", KEY)
    assert all(path.stat().st_size <= 600 for path in Path(".cache").glob("*.part"))
