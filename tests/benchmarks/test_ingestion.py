"""The ingestion against a plain loop, on a few files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ingestion
from latent_atlas.data.store import open_store
from latent_atlas.util.console import UserError
from tests.benchmarks.sizes import TINY


def test_results_are_positive_and_both_sides_produce_the_same_images(tmp_path: Path) -> None:
    results = ingestion.measure_ingestion(TINY, tmp_path)
    assert [result.name for result in results] == [
        "ingest, JPEGs of 192×128 / Pillow",
        "ingest, JPEGs of 768×512 / Pillow",
        "peak memory of ingest, 24 / 12 files",
        "random access, 5 from the store / 5 JPEGs",
    ]
    assert all(min(result.rounds) > 0 for result in results)
    store = open_store(tmp_path / "data" / "few")
    assert len(store.images) == TINY.files
    for row, origin in enumerate(store.index["origin"]):
        theirs = ingestion.plain(tmp_path / "few" / origin)
        assert np.abs(store.images[row].astype(int) - theirs.astype(int)).max() <= 8


def test_no_two_files_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "DISTINCT", 2)
    files = ingestion.write_jpegs(tmp_path / "files", 6, ingestion.SMALL)
    assert len({file.read_bytes() for file in files}) == 6


def test_a_failed_ingestion_has_its_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml"):
        ingestion.ingest(tmp_path, "few")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity")
def test_all_cores_are_restored() -> None:
    cores = os.sched_getaffinity(0)
    with ingestion.one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == cores
