"""The loop against a bare one and against pythae's, on a few images."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import training
from tests.benchmarks.sizes import TINY


def _find_nothing(find: Callable[..., object]) -> Callable[..., object]:
    return lambda name, *more: None if name == "pythae" else find(name, *more)


@pytest.mark.slow
def test_ratios_are_positive_and_an_absent_rival_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _find_nothing(importlib.util.find_spec))
    figures = training.measure(TINY, tmp_path)
    assert [figure.name for figure in figures] == [
        "training, 32-true / bare loop",
        "training, bf16-mixed / bare loop",
        "training, 32-true / pythae 0.1.2",
        "training, bf16-mixed / pythae 0.1.2",
    ]
    for figure in figures[:2]:
        assert len(figure.rounds) == TINY.rounds
        assert min(figure.rounds) > 0
    for figure in figures[2:]:
        assert figure.median is None
        assert "pip install pythae==0.1.2" in figure.note


@pytest.mark.slow
def test_pythae_takes_its_turns(tmp_path: Path) -> None:
    pytest.importorskip("pythae", reason="needs pythae (the extra bench)")
    figures = training.measure(TINY, tmp_path)
    assert [len(figure.rounds) for figure in figures] == [TINY.rounds] * 6
    assert min(min(figure.rounds) for figure in figures) > 0
