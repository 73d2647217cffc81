"""The door: it names the machine once, and prints and writes every figure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as bench
from benchmarks.figures import Figure, Target
from benchmarks.size import FULL, QUICK, Size

FIGURES = [
    Figure("training", "×", [0.98, 0.99, 0.97], Target("at least", 0.97), "99 against 98 images/s"),
    Figure("no-op", "s", (), Target("at most", 2), "not measured"),
]


@pytest.mark.parametrize(("options", "size"), [([], FULL), (["--quick", "--json"], QUICK)])
def test_door(
    options: list[str],
    size: Size,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Size] = []

    def measure(size: Size, repository: Path) -> list[Figure]:
        asked.append(size)
        assert repository == tmp_path
        return FIGURES

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    bench.main()
    assert asked == [size]
    printed = capsys.readouterr().out
    assert printed.count(f"torch {torch.__version__}"[:10]) == 1
    assert all(figure.name in printed and figure.note in printed for figure in FIGURES)
    assert bench.OUT.exists() == ("--json" in options)
    if bench.OUT.exists():
        written = json.loads(bench.OUT.read_text())
        assert [figure["name"] for figure in written["figures"]] == ["training", "no-op"]
        assert written["figures"][0]["rounds"] == [0.98, 0.99, 0.97]
        assert written["machine"]["CPU"]
