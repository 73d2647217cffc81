"""Ingestion in worker processes: bytes, bounded memory, interruption and a killed parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from latent_atlas.data.sources import ingest as module
from latent_atlas.data.sources.detect import open_source
from latent_atlas.data.sources.ingest import write_store
from latent_atlas.data.sources.items import IngestRequest, Item, Rejected, Source
from latent_atlas.data.store import StoreWriter
from latent_atlas.util.console import UserError
from latent_atlas.util.parallel import blocks
from tests.conftest import ROOT
from tests.data.sources.pictures import Build, write_pictures

ENDLESS = """
import signal
from pathlib import Path
from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources import ingest
from latent_atlas.data.sources.items import BytesContent, Item, Source
from latent_atlas.util.console import run_command

ingest._select = lambda *_: ingest.Selection(None, None, 10**9, 0, 0, False)

def items():
    for number in range(10**9):
        yield Item(str(number), BytesContent(number.to_bytes(16, "big")), pixels=(4, 4))

def main():
    data = DataSet(source="endless", height=64, width=64)
    ingest.write_store("mine", data, Source("endless", items), Path("mine"), jobs=2)

# A shell that started the tests in the background may ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
run_command(main)
"""


def many(folder: Path, count: int) -> Path:
    return write_pictures(folder, *(f"{number:03}.png" for number in range(count)))


def contents(folder: Path) -> tuple[bytes, ...]:
    return tuple(file.read_bytes() for file in sorted(folder.iterdir()))


def test_blocks() -> None:
    assert list(blocks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(blocks([], 3)) == []


def test_neither_jobs_nor_blocks_change_a_byte(
    tmp_path: Path,
    make_request: Callable[..., IngestRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = many(tmp_path / "x", 70)
    for number in (3, 30, 60):
        (images / f"{number:03}.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
        (images / f"{number:03}.txt").write_text("not an image")
    request = make_request(images, height=16, width=12, fit="pad")
    stores = set()
    for jobs, block in ((1, 64), (2, 64), (2, 7), (1, 1)):
        monkeypatch.setattr(module, "_BLOCK", block)
        folder = tmp_path / f"store{jobs}-{block}"
        write_store("mine", request.data, open_source(request), folder, jobs)
        stores.add(contents(folder))
    assert len(stores) == 1


def test_a_broken_file_is_rejected_in_any_process(tmp_path: Path, build: Build) -> None:
    folder = many(tmp_path / "x", 20)
    for number in range(0, 20, 3):
        (folder / f"{number:03}.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    store = build(folder, jobs=2)
    assert len(store.index) == 13
    assert [row["origin"] for row in store.card["rejected"]] == [
        f"{number:03}.png" for number in range(0, 20, 3)
    ]


def test_the_source_is_read_only_two_blocks_per_job_ahead(
    tmp_path: Path,
    make_request: Callable[..., IngestRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_BLOCK", 1)
    request = make_request(many(tmp_path / "x", 40))
    source = open_source(request)
    read = written = most = 0

    def items() -> Iterator[Item | Rejected]:
        nonlocal read
        for item in source.items():
            read += 1
            yield item

    def append(*_: object) -> None:
        nonlocal written, most
        most = max(most, read - written)
        written += 1

    selection = module._select(request.data, source)
    monkeypatch.setattr(module, "_select", lambda *_: selection)
    monkeypatch.setattr(StoreWriter, "append", append)
    with pytest.raises(UserError, match="no usable image"):  # because nothing is really written
        write_store("mine", request.data, Source("x", items), tmp_path / "store", 2)
    assert written == 40
    assert most <= 2 * 2


@pytest.fixture
def ingestion() -> Iterator[subprocess.Popen[str]]:
    """A process that ingests without an end, with two workers, and has written some images."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        images = Path(".mine.part/images.npy")
        while not images.exists() or images.stat().st_size < 100_000:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
        yield process
        process.kill()


@pytest.mark.timeout(120)
def test_ctrl_c_ends_the_ingestion_with_one_line_and_leaves_nothing(
    ingestion: subprocess.Popen[str],
) -> None:
    children = psutil.Process(ingestion.pid).children()
    assert len(children) >= 2
    os.killpg(ingestion.pid, signal.SIGINT)  # as a terminal does, to all processes
    _, errors = ingestion.communicate(timeout=60)
    assert (ingestion.returncode, errors) == (130, "interrupted; finished work is kept\n")
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(Path().iterdir()) == []


@pytest.mark.timeout(120)
def test_the_workers_end_with_a_parent_that_is_killed(ingestion: subprocess.Popen[str]) -> None:
    children = psutil.Process(ingestion.pid).children()
    assert len(children) >= 2
    ingestion.kill()
    assert psutil.wait_procs(children, timeout=30)[1] == []
