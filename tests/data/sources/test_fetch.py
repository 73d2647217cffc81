"""Fetching: local paths, and downloads from servers with all kinds of faults."""

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
    scratch_folder,
    version,
)
from latent_atlas.data.sources.urls import UnreachableError, is_url, redact
from latent_atlas.util.console import FieldError, UserError
from tests.conftest import ROOT
from tests.util.server import Server, serving

DATA = bytes(range(256)) * 4000  # 1,024,000 bytes
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        server.files["/images.zip"] = DATA
        yield server


def downloads() -> list[str]:
    """Names of the files in the cache, without locks and records."""
    folder = Path(".cache/downloads")
    paths = sorted(folder.iterdir()) if folder.exists() else []
    return [path.name for path in paths if path.suffix not in (".lock", ".json")]


# Paths


def test_a_local_path_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    path.write_bytes(DATA)
    for source in (str(path), "../images.zip", path.as_uri(), f"file://localhost{path}"):
        assert fetch(source, len(DATA), DIGEST).samefile(path)
    assert downloads() == []


def test_a_file_url_is_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "my images#1.zip"
    path.touch()
    assert local_path(path.as_uri()) == path


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/images") == tmp_path / "images"


@pytest.mark.parametrize("source", ["nowhere", "../nowhere", "drawing:circles", "torch:MNIST"])
def test_a_missing_path(source: str) -> None:
    with pytest.raises(FieldError, match=rf"^source: found '{source}', but there is no file "):
        existing_path(source)


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
    with scratch_folder() as folder:
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
def test_a_redacted_url_has_no_secret(source: str, expected: str) -> None:
    assert redact(source) == expected


def test_stages_sources_imports_nothing_heavy() -> None:
    code = (
        "import sys; import latent_atlas.data.sources.fetch, stages.sources; "
        "heavy = {'numpy', 'pandas', 'torch', 'sklearn', 'requests', 'fsspec', 'PIL'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    root = Path(module.__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# http


def test_a_download_is_used_again(server: Server) -> None:
    url = f"{server.address}/images.zip"
    path = fetch(url, len(DATA), DIGEST)
    assert path.read_bytes() == DATA
    assert path.name.endswith("-images.zip")
    assert fetch(url) == path
    assert server.gets() == [None]
    requests = len(server.received)
    assert fetch(url, sha256=DIGEST) == path  # the hash is enough: no request
    assert len(server.received) == requests
    assert downloads() == [path.name]


@pytest.mark.parametrize("etags", [True, False])
def test_a_changed_file_is_downloaded_again(server: Server, etags: bool) -> None:
    server.etags, server.date = etags, "Mon, 01 Jan 2024 00:00:00 GMT"
    url = f"{server.address}/images.zip"
    fetch(url)
    server.files["/images.zip"] = changed = DATA[::-1]
    server.date = "Tue, 02 Jan 2024 00:00:00 GMT"
    assert fetch(url).read_bytes() == changed


def test_a_file_without_a_version_is_always_downloaded_again(server: Server) -> None:
    server.etags = server.lengths = False
    for data in (DATA, DATA[::-1]):
        server.files["/images.zip"] = data
        assert fetch(f"{server.address}/images.zip").read_bytes() == data


def test_two_urls_with_different_queries_are_two_downloads(server: Server) -> None:
    first = fetch(f"{server.address}/images.zip?id=1")
    server.files["/images.zip"] = DATA[::-1]
    second = fetch(f"{server.address}/images.zip?id=2")
    assert (first.read_bytes(), second.read_bytes()) == (DATA, DATA[::-1])


@pytest.mark.parametrize("etags", [True, False])
def test_a_cut_connection_is_resumed(server: Server, etags: bool) -> None:
    server.etags, server.date = etags, "Mon, 01 Jan 2024 00:00:00 GMT"
    server.cut = [300_000, 300_000, 300_000]
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA
    spans = server.gets()
    assert spans[0] is None
    starts = [int(str(span).removeprefix("bytes=").removesuffix("-")) for span in spans[1:]]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert starts[0] > 200_000


def test_cut_connections_with_progress_are_resumed_without_limit(server: Server) -> None:
    server.cut = [70_000] * 13
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA


def test_a_server_that_ignores_ranges_sends_the_file_again(server: Server) -> None:
    server.ranges, server.cut = False, [500_000, 200_000]
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA
    assert len(server.gets()) == 3


def test_a_file_without_a_validator_is_downloaded_from_the_start(server: Server) -> None:
    server.etags, server.cut = False, [500_000]
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA
    assert server.gets() == [None, None]


def test_the_next_run_resumes_an_interrupted_download(server: Server) -> None:
    url = f"{server.address}/images.zip"
    server.cut = [600_000] + [0] * (http.TRIES - 1)
    with pytest.raises(FieldError, match="cannot be reached"):
        fetch(url)
    assert [name[-5:] for name in downloads()] == [".part"]
    assert fetch(url).read_bytes() == DATA
    assert str(server.gets()[-1]).startswith("bytes=600000-")


def test_a_part_of_an_older_version_is_not_resumed(server: Server) -> None:
    url = f"{server.address}/images.zip"
    server.cut = [600_000] + [0] * (http.TRIES - 1)
    with pytest.raises(FieldError):
        fetch(url)
    server.files["/images.zip"] = changed = DATA[::-1]
    server.received.clear()
    assert fetch(url).read_bytes() == changed
    assert server.gets() == [None]


def test_a_file_that_changes_during_the_download_comes_complete(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = DATA[::-1]
    server.cut = [600_000]
    monkeypatch.setattr("time.sleep", lambda _: server.files.__setitem__("/images.zip", changed))
    assert fetch(f"{server.address}/images.zip").read_bytes() == changed


@pytest.mark.parametrize("etags", [True, False])
def test_a_changed_file_from_a_server_that_ignores_if_range_comes_complete(
    server: Server, monkeypatch: pytest.MonkeyPatch, etags: bool
) -> None:
    """Otherwise the end of the new version would follow the beginning of the old one."""
    server.etags, server.if_ranges, server.date = etags, False, "Mon, 01 Jan 2024 00:00:00 GMT"
    server.cut = [600_000]

    def change(_: float) -> None:
        server.files["/images.zip"], server.date = DATA[::-1], "Tue, 02 Jan 2024 00:00:00 GMT"

    monkeypatch.setattr("time.sleep", change)
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA[::-1]
    assert server.gets() == [None, "bytes=600000-", None]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_temporary_failure_is_retried(server: Server, status: int) -> None:
    server.statuses = [status, status]
    assert fetch(f"{server.address}/images.zip").read_bytes() == DATA


def test_a_permanent_failure_is_one_line(server: Server) -> None:
    server.statuses = [503] * 100
    with pytest.raises(UnreachableError, match=r"images\.zip cannot be reached \(status 503"):
        fetch(f"{server.address}/images.zip")
    assert len(server.received) == http.TRIES


@pytest.mark.parametrize("status, hint", [(404, "no such file"), (401, "password"), (410, "check")])
def test_a_refusal_is_not_retried(server: Server, status: int, hint: str) -> None:
    server.statuses = [status]
    with pytest.raises(FieldError, match=rf"^source: .*images\.zip answers {status} .*{hint}"):
        fetch(f"{server.address}/images.zip")
    assert len(server.received) == 1
    assert downloads() == []


def test_a_server_without_head(server: Server) -> None:
    server.heads = False
    url = f"{server.address}/images.zip"
    assert fetch(url).read_bytes() == DATA
    assert fetch(url).read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(server: Server) -> None:
    with pytest.raises(FieldError, match=rf"^sha256: .* has {DIGEST}, expected 0000"):
        fetch(f"{server.address}/images.zip", sha256="0" * 64)
    assert downloads() == []


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
@pytest.mark.parametrize("lengths", [True, False])
def test_a_wrong_size_leaves_nothing(server: Server, size: int, lengths: bool) -> None:
    server.lengths = lengths
    with pytest.raises(FieldError, match=r"^(size|source): .*expected|sends more than"):
        fetch(f"{server.address}/images.zip", size=size)
    assert not [name for name in downloads() if not name.endswith(".part")]


def test_a_file_that_does_not_fit_is_refused_before_the_download(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latent_atlas.data.sources.urls.MAX_BYTES", 1000)
    with pytest.raises(FieldError, match=r"has 1024000 bytes, but .* has space for 1000"):
        fetch(f"{server.address}/images.zip")


def test_an_endless_response_is_stopped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.lengths = False
    monkeypatch.setattr(http, "MAX_BYTES", 1000)
    with pytest.raises(FieldError, match="sends more than 1000 bytes"):
        fetch(f"{server.address}/images.zip")


def test_a_copy_is_used_if_the_server_does_not_answer(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{server.address}/images.zip"
    path = fetch(url)
    server.statuses = [503] * 100
    capsys.readouterr()
    assert fetch(url) == path
    assert "cannot be reached; using the copy of the last download" in capsys.readouterr().err
    with pytest.raises(FieldError, match="sha256"):
        fetch(url, sha256="0" * 64)


def test_a_refused_connection_is_one_line_without_secrets() -> None:
    with serving() as gone:
        url = f"http://me:secret@127.0.0.1:{gone.server_address[1]}/images.zip?key=secret"
    with pytest.raises(UnreachableError, match=r"/images\.zip\?… cannot be reached") as caught:
        fetch(url)
    assert "secret" not in str(caught.value)


def test_no_secret_is_written(server: Server) -> None:
    url = f"http://me:secret@{server.address.removeprefix('http://')}/images.zip?key=secret"
    fetch(url)
    for path in Path(".cache").rglob("*"):
        assert "secret" not in path.name
        assert path.is_dir() or b"secret" not in path.read_bytes()


def test_a_url_with_dots_stays_in_the_cache_folder(server: Server) -> None:
    server.files["/a/..%2F..%2Fb.zip"] = DATA
    path = fetch(f"{server.address}/a/..%2F..%2Fb.zip")
    assert path.parent == Path.cwd() / ".cache" / "downloads"


def test_a_long_name_of_wide_characters_is_shortened_by_bytes(server: Server) -> None:
    server.files["/" + quote("画像" * 60 + ".zip")] = DATA
    path = fetch(f"{server.address}/{'画像' * 60}.zip")
    assert path.name.endswith("画像.zip")


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".org", "", "127.0.0.1:99999"])
def test_an_invalid_address_is_one_line(host: str) -> None:
    for function in (fetch, version):
        with pytest.raises(
            FieldError, match=rf"^source: http://{host}/x cannot be requested .*check"
        ):
            function(f"http://{host}/x")


def test_the_version_of_a_url(server: Server) -> None:
    headers = version(f"{server.address}/images.zip")
    assert headers["Content-Length"] == str(len(DATA))
    assert set(headers) == {"ETag", "Content-Length"}


def test_a_cache_that_cannot_be_written_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    downloads = Path(".cache/downloads")
    downloads.parent.mkdir()
    downloads.touch()
    with pytest.raises(UserError, match=r"\.cache/downloads: cannot be written \(File exists\)"):
        fetch(f"{server.address}/images.zip")
    downloads.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("filelock.FileLock.acquire", refuse)
        with pytest.raises(UserError, match=r"downloads: cannot be written \(Permission denied\)"):
            fetch(f"{server.address}/images.zip")
        with pytest.raises(UserError, match=r"\.cache: cannot be written"), scratch_folder():
            pass


def test_the_scratch_folder_is_removed_after_its_block(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch_folder() as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        raise ZeroDivisionError
    assert list(Path(".cache").iterdir()) == []


def test_the_scratch_folder_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    code = """
from latent_atlas.data.sources.fetch import scratch_folder
with scratch_folder() as folder:
    (folder / "file").write_text("much")
    print(folder, flush=True)
    input()
"""
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        with scratch_folder():
            assert (folder / "file").is_file()  # the other process is alive
        other.kill()
    assert (folder / "file").is_file()
    with scratch_folder():
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
    path = fetch("memory://a/images.zip", len(DATA), DIGEST)
    assert path.read_bytes() == DATA
    stamp = path.stat().st_mtime_ns
    assert fetch("memory://a/images.zip").stat().st_mtime_ns == stamp
    memory.pipe("/a/images.zip", DATA[:-1])
    assert fetch("memory://a/images.zip").read_bytes() == DATA[:-1]


def test_a_folder_of_another_file_system(memory: fsspec.AbstractFileSystem) -> None:
    for name in ("hat/1.png", "hat/2.png", "shoes/3.png"):
        memory.pipe(f"/images/{name}", name.encode())
    path = fetch("memory://images")
    files = {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*.png")}
    assert files == {name: name for name in ("hat/1.png", "hat/2.png", "shoes/3.png")}
    before = version("memory://images")
    memory.pipe("/images/hat/4.png", b"4")
    assert version("memory://images") != before
    assert len(list(fetch("memory://images").rglob("*.png"))) == 4


class Connection:
    """Counts the bytes that a file system sends, and fails after `left` of them."""

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

    def fail(self, source: str, after: int) -> None:
        """Try to download with a failure; later downloads succeed."""
        self.left = after
        with pytest.raises(UnreachableError, match=r"cannot be reached \(ConnectionError\)"):
            fetch(source)
        self.left, self.sent = 10**9, 0


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    return Connection(monkeypatch)


def test_a_file_of_another_file_system_is_resumed(
    memory: fsspec.AbstractFileSystem, connection: Connection
) -> None:
    memory.pipe("/images.zip", DATA)
    connection.fail("memory://images.zip", 600_000)
    assert fetch("memory://images.zip", sha256=DIGEST).read_bytes() == DATA
    assert connection.sent == len(DATA) - 600_000


def test_a_folder_of_another_file_system_is_resumed(
    memory: fsspec.AbstractFileSystem, connection: Connection
) -> None:
    contents = {f"{number}.bin": bytes([number]) * 10_000 for number in range(3)}
    for name, content in contents.items():
        memory.pipe(f"/images/{name}", content)
    connection.fail("memory://images", 15_000)
    path = fetch("memory://images")
    assert {file.name: file.read_bytes() for file in path.iterdir()} == contents
    assert connection.sent == 15_000


def test_a_changed_file_of_another_file_system_is_not_resumed(
    memory: fsspec.AbstractFileSystem, connection: Connection
) -> None:
    memory.pipe("/images.zip", DATA)
    connection.fail("memory://images.zip", 600_000)
    memory.pipe("/images.zip", DATA[::-1])
    assert fetch("memory://images.zip").read_bytes() == DATA[::-1]


def test_a_file_with_only_a_size_is_downloaded_from_the_start(
    memory: fsspec.AbstractFileSystem, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version may have the same length."""
    facts = {"type": "file", "name": "/images.zip", "size": len(DATA)}
    monkeypatch.setattr(type(memory), "info", lambda *_: facts)
    memory.pipe("/images.zip", DATA)
    connection.fail("memory://images.zip", 600_000)
    memory.pipe("/images.zip", DATA[::-1])
    assert fetch("memory://images.zip").read_bytes() == DATA[::-1]


def test_a_file_of_another_file_system_that_changes_meanwhile_is_refused(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe("/images.zip", DATA)
    whole = remote.download

    def download(*arguments: Any) -> None:
        whole(*arguments)
        memory.pipe("/images.zip", DATA[::-1])

    monkeypatch.setattr(remote, "download", download)
    with pytest.raises(FieldError, match=r"images\.zip changed during the download; run it"):
        fetch("memory://images.zip")
    assert downloads() == []


@pytest.mark.parametrize("link", ["simplecache", "filecache", "blockcache", "zip://1.png"])
def test_a_chain_of_urls_is_refused_before_any_request(server: Server, link: str) -> None:
    """The links of a chain would download a whole file before any limit applies."""
    server.files["/y.zip"] = DATA
    source = f"{link}::{server.address}/y.zip"
    for function in (fetch, version):
        with pytest.raises(FieldError, match=r"is a chain of URLs; give only .* after its last ::"):
            function(source)
    assert server.received == []
    assert downloads() == []


@pytest.mark.parametrize(
    "source, message",
    [
        ("memory://nothing/here.zip", "there is no such file or folder"),
        ("gopher://host/file", "has the unknown URL scheme gopher://"),
        ("s3://bucket/file", "needs another package .*s3fs"),
    ],
)
def test_urls_that_fsspec_cannot_open_are_one_line(source: str, message: str) -> None:
    if source.startswith("s3"):
        try:
            import s3fs  # type: ignore[import-not-found]  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("s3fs is installed")
    with pytest.raises(FieldError, match=rf"^source: {source}.*{message}"):
        fetch(source)
    assert downloads() == []


def test_more_bytes_than_expected_are_stopped(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the file system reports a smaller size than it sends."""
    monkeypatch.setattr(remote, "_CHUNK", 100)
    monkeypatch.setattr(type(memory), "info", lambda *_: {"type": "file", "name": "/x", "size": 1})
    memory.pipe("/x", bytes(10_000))
    with pytest.raises(FieldError, match="memory://x sends more than 300 bytes"):
        fetch("memory://x", size=300)
    monkeypatch.setattr(remote, "MAX_BYTES", 500)
    with pytest.raises(FieldError, match="memory://x sends more than 500 bytes"):
        fetch("memory://x")
    assert all(path.stat().st_size <= 600 for path in Path(".cache").glob("*.part"))
