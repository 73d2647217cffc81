"""Time to a loss, on few images, with a loss that is reached at once or never."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.time_to_loss import measure_time_to_loss

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pythae") is None, reason="needs the extra bench (pythae)"
)


def test_both_reach_an_easy_loss(tmp_path: Path) -> None:
    (result,) = measure_time_to_loss(tmp_path, images=100, epochs=3, loss=1e6)
    assert len(result.rounds) == 1
    assert "not reached" not in result.note


def test_a_loss_that_nobody_reaches_gives_no_ratio(tmp_path: Path) -> None:
    (result,) = measure_time_to_loss(tmp_path, images=100, epochs=2, loss=0.0)
    assert result.rounds == ()
    assert result.note.startswith("not reached")
    assert result.note.count("(not reached)") == 2
