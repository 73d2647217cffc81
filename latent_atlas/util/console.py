"""What a person at a terminal meets: one-line errors, and progress with a rate and time left."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Protocol

from tqdm import tqdm


class UserError(Exception):
    """Something the user can put right, said in one line: where, what was found, what to do."""


def say(line: str) -> None:
    """Print one line above any progress bar."""
    tqdm.write(line, file=sys.stderr)


def door(main: Callable[[], None]) -> None:
    """Run a stage; a `UserError` becomes one line on stderr and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no → or ± ends a long run
    try:
        main()
    except UserError as error:
        line = " ".join(str(error).split())
        print(f"error: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("stopped by the keyboard; finished work is kept", file=sys.stderr)
        raise SystemExit(130) from None


class Listener(Protocol):
    """Hears of the progress of the work that a process does for another one."""

    def __call__(self, what: str, units: int) -> None:
        """So many units were ``"skipped"`` (done earlier) or ``"done"``."""


class Progress:
    """A bar with rate and time left on a terminal; one line a minute anywhere else.

    Args:
        title: what is being done, e.g. ``"ingest clothes"``.
        total: how many units there are, or None where that is unknown.
        unit: the name of a unit, e.g. ``"images"``.
        start: units that an earlier, interrupted run has already done.
        quiet: show nothing (the other processes of a distributed run).

    Attributes:
        listener: set in a process that works for another one; nothing is shown there.
    """

    listener: ClassVar[Listener | None] = None

    def __init__(
        self, title: str, total: int | None, unit: str, start: int = 0, quiet: bool = False
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._start = start
        self._note = ""
        self._began = self._said = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet or self.listener is not None
        self._bar: tqdm[Any] | None = None
        self._tell("skipped", start)
        if self._terminal and not self._quiet:
            self._bar = tqdm(
                desc=title,
                total=total,
                initial=start,
                unit=f" {unit}",
                dynamic_ncols=True,
                mininterval=0.2,
            )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif not self._quiet and kind is None:
            say(self._line(finished=True))

    def advance(self, units: int = 1) -> None:
        """Count `units` more as done."""
        self._done += units
        self._tell("done", units)
        if self._bar is not None:
            self._bar.update(units)
        elif not self._quiet and time.monotonic() - self._said >= 60:
            self._said = time.monotonic()
            say(self._line(finished=False))

    def skip(self, units: int) -> None:
        """Count `units` more as done earlier, without a part in the rate."""
        self._done += units
        self._start += units
        if self._bar is not None:
            self._bar.initial += units
            self._bar.n += units
            self._bar.last_print_n += units

    def note(self, text: str) -> None:
        """Show `text`, e.g. the current losses, beside the progress."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    @classmethod
    def _tell(cls, what: str, units: int) -> None:
        if cls.listener is not None and units:
            cls.listener(what, units)

    def _line(self, finished: bool) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (self._done - self._start) / seconds
        total = "" if self._total is None else f"/{self._total}"
        line = f"{self._title}: {self._done}{total} {self._unit}, {rate:,.1f} {self._unit}/s"
        if finished:
            line += f", {seconds:.0f} s"
        elif self._total is not None and rate > 0:
            line += f", {(self._total - self._done) / rate:.0f} s left"
        return f"{line}, {self._note}" if self._note else line
