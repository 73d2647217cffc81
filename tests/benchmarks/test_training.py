"""The training loop against a bare loop and against pythae, on a few images."""

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
def test_ratios_are_positive_and_an_absent_peer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", _find_nothing(importlib.util.find_spec))
    results = training.measure_training(TINY, tmp_path)
    assert [result.name for result in results] == [
        "training, 32-true / bare loop",
        "training, bf16-mixed / bare loop",
        "training, 32-true / pythae 0.1.2",
        "training, bf16-mixed / pythae 0.1.2",
    ]
    for result in results[:2]:
        assert len(result.rounds) == TINY.rounds
        assert min(result.rounds) > 0
    for result in results[2:]:
        assert result.median is None
        assert "pip install pythae==0.1.2" in result.note


@pytest.mark.slow
def test_pythae_is_timed_in_alternation(tmp_path: Path) -> None:
    pytest.importorskip("pythae", reason="needs pythae (the extra bench)")
    results = training.measure_training(TINY, tmp_path)
    assert [len(result.rounds) for result in results] == [TINY.rounds] * 6
    assert min(min(result.rounds) for result in results) > 0
