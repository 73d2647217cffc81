"""Seconds per training step, measured in alternation: other load affects all trainings alike.

A training runs unchanged. PyTorch calls a hook after every step of an optimiser. The hook starts
the clock after the warm-up, and ends the training after the last timed step.
"""

from __future__ import annotations

import contextlib
import io
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.size import Size
from latent_atlas.util.console import Progress, UserError

Training = Callable[[], None]
"""Trains until it is stopped."""


def alternate(trainings: Mapping[str, Training], size: Size) -> dict[str, list[float]]:
    """Time all trainings in each round; every other round is in reverse order.

    Returns:
        Name → seconds for ``size.steps`` steps in each of ``size.rounds`` rounds.

    Raises:
        UserError: if a training ends before its last timed step.
    """
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    order = list(trainings)
    with Progress("bench training", size.rounds, "rounds") as progress:
        for _ in range(size.rounds):
            for name in order:
                seconds[name].append(time_steps(name, trainings[name], size))
            order.reverse()
            progress.advance()
    return seconds


class _LastStep(Exception):  # noqa: N818 - not an error
    """Ends a training after its last timed step."""


def time_steps(name: str, training: Training, size: Size) -> float:
    """Seconds of ``size.steps`` steps of a training, after ``size.warm_up`` others.

    Raises:
        UserError: if the training ends before.
    """
    steps, started, seconds = 0, 0.0, 0.0

    def after_step(*_: Any) -> None:
        nonlocal steps, started, seconds
        steps += 1
        if steps == size.warm_up:
            started = _now()
        elif steps == size.warm_up + size.steps:
            seconds = _now() - started
            raise _LastStep

    hook = register_optimizer_step_post_hook(after_step)
    try:
        with _settings_restored(), _silence():
            training()
    except _LastStep:
        return seconds
    finally:
        hook.remove()
    raise UserError(f"bench: the training {name!r} ended early, after {steps} steps")


def _now() -> float:
    """The clock, once the accelerator has finished its work."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the bars and reports of a training from the terminal."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def _settings_restored() -> Iterator[None]:
    """Restore the process-wide settings that a training may change."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
