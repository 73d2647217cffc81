"""Trainings that wait for one another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
import torch

from stages.bench.turns import take_turns
from stages.lib.console import UserError
from tests.bench.sizes import TINY


def train(name: str, log: Path, last: int = 10**6) -> None:
    """Step an optimiser, and note each step in a file that all share."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(last):
        weight.grad = torch.ones(1)
        with log.open("a") as file:
            file.write(name)
        optimizer.step()


def test_trainings_step_in_turn(tmp_path: Path) -> None:
    log = tmp_path / "steps"
    size = replace(TINY, rounds=3, steps=4, turns=2)
    trainings = {name: partial(train, name, log) for name in "ab"}
    seconds = take_turns(trainings, size)
    assert {name: len(rounds) for name, rounds in seconds.items()} == {"a": 3, "b": 3}
    assert all(value > 0 for rounds in seconds.values() for value in rounds)
    steps = log.read_text()
    # Both start at once and wait after four steps; then the turns alternate.
    assert sorted(steps[:8]) == sorted("aaaabbbb")
    turns = [len(list(same)) for _, same in groupby(steps[8 : 8 + 3 * 2 * 2 * 4])]
    assert turns == [4] * 12


def test_a_training_that_ends_is_named(tmp_path: Path) -> None:
    trainings = {"short": partial(train, "s", tmp_path / "steps", last=3)}
    with pytest.raises(UserError, match="'short' has ended early"):
        take_turns(trainings, replace(TINY, rounds=4, turns=1))
