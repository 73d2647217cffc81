"""The command: it prints the machine once, and prints and writes every result."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as bench
from benchmarks.results import Result, Target
from benchmarks.size import FULL, QUICK, Size

RESULTS = [
    Result("training", "×", [0.98, 0.99, 0.97], Target("at least", 0.97), "99 against 98 images/s"),
    Result("no-op", "s", (), Target("at most", 2), "not measured"),
]


@pytest.mark.parametrize(("options", "size"), [([], FULL), (["--quick", "--json"], QUICK)])
def test_the_command_prints_and_writes_every_result(
    options: list[str],
    size: Size,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes: list[Size] = []

    def measure(size: Size, repository: Path) -> list[Result]:
        sizes.append(size)
        assert repository == tmp_path
        return RESULTS

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "measure_all", measure)
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    bench.main()
    assert sizes == [size]
    printed = capsys.readouterr().out
    assert printed.count(f"torch {torch.__version__}"[:10]) == 1
    assert all(result.name in printed and result.note in printed for result in RESULTS)
    assert bench.OUT.exists() == ("--json" in options)
    if bench.OUT.exists():
        written = json.loads(bench.OUT.read_text())
        assert [result["name"] for result in written["results"]] == ["training", "no-op"]
        assert written["results"][0]["rounds"] == [0.98, 0.99, 0.97]
        assert written["machine"]["CPU"]
