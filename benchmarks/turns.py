"""Trainings that take turns of a few steps, so that what else the machine does falls on all alike.

They run unchanged and unaware of it: PyTorch calls a hook after every step of an optimiser, and
there a training waits while another one has its turn. Rivals by a percent share a process, since
two processes differ by more, even where they run the same code; others have their own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import torch
from greenlet import getcurrent, greenlet
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.size import Size
from latent_atlas.util.console import Progress, UserError

Training = Callable[[], None]
"""Trains for ever; can be pickled."""

Crew = Mapping[str, Training]
"""Trainings that share a process, by name."""


def take_turns(crews: Sequence[Crew], size: Size) -> dict[str, list[float]]:
    """Seconds that each training needs for ``size.steps * size.turns`` steps, round by round.

    Every other round is in reverse, so that nobody always follows the same one. Start-up and the
    first turn of each are not timed.

    Raises:
        UserError: if a training ends.
    """
    seconds: dict[str, list[float]] = {name: [] for crew in crews for name in crew}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_Process(crew, size.steps)) for crew in crews]
        order = [
            (process, name) for process, crew in zip(processes, crews, strict=True) for name in crew
        ]
        for process, name in order:
            process.turn(name)
        progress = stack.enter_context(Progress("bench training", size.rounds, "rounds"))
        for _ in range(size.rounds):
            took = dict.fromkeys(seconds, 0.0)
            for _ in range(size.turns):
                for process, name in order:
                    took[name] += process.turn(name)
            for name, total in took.items():
                seconds[name].append(total)
            order.reverse()
            progress.advance()
    return seconds


class _Process:
    """A process with a crew, which goes on where and when this one tells it to."""

    def __init__(self, crew: Crew, steps: int) -> None:
        # Spawned, not forked: torch has threads here, and each process needs its own settings.
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(crew, steps, there), daemon=True)
        self._process.start()
        there.close()

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        self._process.kill()

    def turn(self, name: str) -> float:
        """Let a training take its steps; the seconds that it needed."""
        try:
            self._pipe.send(name)
            seconds: float = self._pipe.recv()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            raise UserError(f"bench: the training {name!r} has ended early") from None
        return seconds


def _serve(crew: Crew, steps: int, pipe: Connection) -> None:
    """What runs in a process: give turns until a training ends, or the parent has enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone answers the keyboard
    logging.disable(logging.WARNING)
    contenders = {name: _Contender(training, steps) for name, training in crew.items()}
    ended = (EOFError, ConnectionResetError, BrokenPipeError)
    with contextlib.suppress(*ended), _stopping(contenders.values()):
        while (seconds := contenders[pipe.recv()].turn()) is not None:
            pipe.send(seconds)


class _Contender:
    """A training that stops after so many steps and goes on from there."""

    def __init__(self, training: Training, steps: int) -> None:
        self._steps, self._taken = steps, 0
        self._caller, self.stack = getcurrent(), greenlet(training)
        self._switches = _switches()

    def turn(self) -> float | None:
        """Let it take its steps; the seconds that it needed, None if it has ended."""
        others = _switches()
        _switch(self._switches)
        began = time.perf_counter()
        with _hushed():
            self.stack.switch()
        seconds = time.perf_counter() - began
        self._switches = _switches()
        _switch(others)
        return None if self.stack.dead else seconds

    def after_step(self) -> None:
        """Count a step, and hand over after the last one of a turn."""
        self._taken += 1
        if self._taken % self._steps:
            return
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()
        self._caller.switch()

    def close(self) -> None:
        """Leave the training where it stands, as an exit would."""
        if not self.stack.dead:
            with _hushed():
                self.stack.throw()


@contextlib.contextmanager
def _stopping(contenders: Iterable[_Contender]) -> Iterator[None]:
    """Have the trainings stop after their steps in a block, and close them in the end."""
    by_stack = {contender.stack: contender for contender in contenders}

    def after_step(*_: Any) -> None:
        by_stack[getcurrent()].after_step()

    hook = register_optimizer_step_post_hook(after_step)
    try:
        yield
    finally:
        hook.remove()
        for contender in by_stack.values():
            contender.close()


def _hushed() -> contextlib.redirect_stderr[io.StringIO]:
    """Keep the bars and reports of a training from the terminal."""
    return contextlib.redirect_stderr(io.StringIO())


def _switches() -> tuple[bool, bool]:
    """What a training may switch for its whole process: deterministic kernels, filled memory."""
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    return torch.are_deterministic_algorithms_enabled(), bool(fills)


def _switch(to: tuple[bool, bool]) -> None:
    deterministic, fills = to
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
