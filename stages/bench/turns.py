"""Trainings that take turns of a few steps, so that what else the machine does falls on all alike.

Each runs in a process of its own, unchanged and unaware of it: PyTorch calls a hook after every
step of an optimiser, and there a training waits while another one has its turn.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from stages.bench.size import Size
from stages.lib.console import Progress, UserError

Training = Callable[[], None]
"""Trains for ever; can be pickled."""


def take_turns(trainings: Mapping[str, Training], size: Size) -> dict[str, list[float]]:
    """Seconds that each training needs for ``size.steps * size.turns`` steps, round by round.

    Start-up and the first turn of each are not timed.

    Raises:
        UserError: if a training ends.
    """
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    with contextlib.ExitStack() as stack:
        crew = {
            name: stack.enter_context(_Contender(name, training, size.steps))
            for name, training in trainings.items()
        }
        for contender in crew.values():
            contender.answer()
        progress = stack.enter_context(Progress("bench training", size.rounds, "rounds"))
        for _ in range(size.rounds):
            took = dict.fromkeys(crew, 0.0)
            for _ in range(size.turns):
                for name, contender in crew.items():
                    took[name] += contender.turn()
            for name, total in took.items():
                seconds[name].append(total)
            progress.advance()
    return seconds


class _Contender:
    """A training in a process that this one lets go on, turn by turn."""

    def __init__(self, name: str, training: Training, steps: int) -> None:
        self._name = name
        # Spawned, not forked: torch has threads here, and each training needs its own settings.
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(
            target=_contend, args=(training, steps, there), name=name, daemon=True
        )
        self._process.start()
        there.close()

    def __enter__(self) -> _Contender:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        self._process.kill()

    def turn(self) -> float:
        """Let it take its steps; the seconds that it needed."""
        with contextlib.suppress(BrokenPipeError):
            self._pipe.send(None)
        return self.answer()

    def answer(self) -> float:
        """Wait until it has taken its steps."""
        try:
            seconds: float = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise UserError(f"bench: the training {self._name!r} has ended early") from None
        return seconds


def _contend(training: Training, steps: int, pipe: Connection) -> None:
    """What runs in the process: after every so many steps, say how long they took and wait."""
    taken = itertools.count(1)
    began = time.perf_counter()

    def after_step(*_: Any) -> None:
        nonlocal began
        if next(taken) % steps:
            return
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        pipe.send(time.perf_counter() - began)
        pipe.recv()
        began = time.perf_counter()

    register_optimizer_step_post_hook(after_step)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone answers the keyboard
    logging.disable(logging.WARNING)
    ended = (EOFError, ConnectionResetError, BrokenPipeError)  # when the parent has enough
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(*ended):
        training()
