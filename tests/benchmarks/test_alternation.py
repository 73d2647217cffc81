"""Alternation of trainings: order, timed steps, settings and errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmarks.alternation import alternate
from latent_atlas.util.console import UserError
from tests.benchmarks.sizes import TINY


def train(name: str, log: list[str], last: int = 10**6) -> None:
    """Step an optimiser, and append the name to a log at each step."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(last):
        weight.grad = torch.ones(1)
        log.append(name)
        optimizer.step()


def test_rounds_alternate_and_every_other_one_is_reversed() -> None:
    log: list[str] = []
    trainings: dict[str, Callable[[], None]] = {name: partial(train, name, log) for name in "ab"}
    seconds = alternate(trainings, replace(TINY, rounds=3, steps=2, warm_up=1))
    assert {name: len(rounds) for name, rounds in seconds.items()} == {"a": 3, "b": 3}
    assert all(value > 0 for rounds in seconds.values() for value in rounds)
    assert "".join(log) == "aaabbb" + "bbbaaa" + "aaabbb"


@pytest.fixture
def default_settings() -> Iterator[None]:
    """PyTorch's default settings, whatever earlier tests in this process have set."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.usefixtures("default_settings")
def test_settings_of_a_training_do_not_reach_the_next_one() -> None:
    log: list[str] = []

    def deterministic() -> None:
        torch.use_deterministic_algorithms(True)
        train("d", log)

    def plain() -> None:
        assert not torch.are_deterministic_algorithms_enabled()
        train("p", log)

    alternate({"deterministic": deterministic, "plain": plain}, replace(TINY, rounds=2))
    assert not torch.are_deterministic_algorithms_enabled()
    assert {"d", "p"} == set(log)


def test_a_training_that_ends_early_is_named() -> None:
    short = partial(train, "s", [], last=2)
    with pytest.raises(UserError, match="'short' ended early, after 2 steps"):
        alternate({"short": short}, replace(TINY, steps=4, warm_up=1))


def test_a_stopped_training_leaves_no_hook() -> None:
    log: list[str] = []
    alternate({"a": partial(train, "a", log)}, replace(TINY, rounds=1, steps=2, warm_up=1))
    train("b", log, last=10)
    assert log.count("b") == 10
