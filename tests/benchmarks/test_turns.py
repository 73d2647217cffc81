"""Trainings that wait for one another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.turns import take_turns
from latent_atlas.util.console import UserError
from tests.benchmarks.sizes import TINY


def train(name: str, log: Path, last: int = 10**6) -> None:
    """Step an optimiser, and note each step in a file that all share."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(last):
        weight.grad = torch.ones(1)
        with log.open("a") as file:
            file.write(name)
        optimizer.step()


@pytest.mark.parametrize("together", [True, False])
def test_trainings_step_in_turn(tmp_path: Path, together: bool) -> None:
    log = tmp_path / "steps"
    size = replace(TINY, rounds=3, steps=4, turns=2)
    one, other = ({name: partial(train, name, log)} for name in "ab")
    seconds = take_turns([one | other] if together else [one, other], size)
    assert {name: len(rounds) for name, rounds in seconds.items()} == {"a": 3, "b": 3}
    assert all(value > 0 for rounds in seconds.values() for value in rounds)
    # Both start, and then take turns; every other round is in reverse.
    there, back = "aaaabbbb", "bbbbaaaa"
    assert log.read_text() == there + 2 * there + 2 * back + 2 * there


def switch(name: str, careful: bool, log: Path) -> None:
    """Note before each step what PyTorch is switched to."""
    torch.use_deterministic_algorithms(careful)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    while True:
        with log.open("a") as file:
            file.write(f"{name} {torch.are_deterministic_algorithms_enabled()}\n")
        optimizer.step()


def test_what_a_training_switches_is_its_own(tmp_path: Path) -> None:
    log = tmp_path / "steps"
    crew = {str(careful): partial(switch, str(careful), careful, log) for careful in (True, False)}
    take_turns([crew], replace(TINY, rounds=3, steps=2, turns=1))
    steps = log.read_text().split("\n")[:-1]
    assert len(steps) == 16
    assert set(steps) == {"True True", "False False"}


def close(log: Path) -> None:
    """Note that it was left as by an exit."""
    try:
        train("a", log)
    finally:
        log.write_text("closed")


def test_a_training_is_closed_in_the_end(tmp_path: Path) -> None:
    take_turns([{"a": partial(close, tmp_path / "log")}], TINY)
    assert (tmp_path / "log").read_text() == "closed"


@pytest.mark.parametrize("together", [True, False])
def test_a_training_that_ends_is_named(tmp_path: Path, together: bool) -> None:
    short = {"short": partial(train, "s", tmp_path / "steps", last=3)}
    long = {"long": partial(train, "l", tmp_path / "steps")}
    with pytest.raises(UserError, match="'short' has ended early"):
        take_turns([short | long] if together else [short, long], replace(TINY, rounds=4))
