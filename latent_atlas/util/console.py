"""Terminal output of every command: one-line errors, and progress with a rate and time left."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Protocol

from tqdm import tqdm

DEBUG = "LATENT_ATLAS_DEBUG"
"""Environment variable: 1 shows the traceback of an error, as ``--debug`` does."""


class UserError(Exception):
    """An error that the user can correct.

    Its message is one line: which key, file or row; what was found; what was expected; what to do.
    """


class FieldError(ValueError):
    """A value that a library function refuses, with the name of its field.

    The library does not know params.yaml. The stage adds the section, see `fields_of`.

    Args:
        field: name of the field, e.g. ``"layers"``.
        problem: what was found and what was expected.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@contextmanager
def fields_of(section: str) -> Iterator[None]:
    """Turn a `FieldError` inside the block into a `UserError` with the full key in params.yaml.

    Args:
        section: the section that the library's settings come from, e.g. ``"interpolation"``.
    """
    try:
        yield
    except FieldError as error:
        raise UserError(f"{section}.{error}") from error


def say(line: str) -> None:
    """Print one line above any progress bar."""
    tqdm.write(line, file=sys.stderr)


def run_command(main: Callable[[], None]) -> None:
    """Run the main function of a command.

    It is refused where the arithmetic of params.yaml is not in use, see `arithmetic.check`. A
    `UserError` becomes one line on stderr and exit status 1, Ctrl-C exit status 130. With
    ``--debug`` among the arguments, or `DEBUG` in the environment, the traceback is shown as well.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no → or ± ends a long run
    if "--debug" in sys.argv[1:]:
        sys.argv.remove("--debug")
        os.environ[DEBUG] = "1"  # worker processes inherit it
    try:
        from latent_atlas.util import arithmetic  # which imports this module

        arithmetic.check()
        main()
    except UserError as error:
        if os.environ.get(DEBUG) == "1":
            traceback.print_exc()
        line = " ".join(str(error).split())
        print(f"error: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; finished work is kept", file=sys.stderr)
        raise SystemExit(130) from None


class ProgressCallback(Protocol):
    """Callback through which a worker process reports progress."""

    def __call__(self, what: str, units: int) -> None:
        """Report that `units` units were ``"skipped"`` (done earlier) or ``"done"``."""


class Progress:
    """A bar with rate and time left on a terminal; one line a minute anywhere else.

    Args:
        title: name of the work, e.g. ``"ingest clothes"``.
        total: number of units; None where it is unknown.
        unit: the name of a unit, e.g. ``"images"``.
        start: units that an earlier, interrupted run has already done.
        quiet: show nothing (the other processes of a distributed run).

    Attributes:
        callback: set in a worker process, which reports to its parent and shows nothing itself.
    """

    callback: ClassVar[ProgressCallback | None] = None

    def __init__(
        self, title: str, total: int | None, unit: str, start: int = 0, quiet: bool = False
    ) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._start = start
        self._note = ""
        self._started = self._printed = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._quiet = quiet or self.callback is not None
        self._bar: tqdm[Any] | None = None
        self._report("skipped", start)
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
        self._report("done", units)
        if self._bar is not None:
            self._bar.update(units)
        elif not self._quiet and time.monotonic() - self._printed >= 60:
            self._printed = time.monotonic()
            say(self._line(finished=False))

    def skip(self, units: int) -> None:
        """Count `units` more as done earlier; they do not count towards the rate."""
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
    def _report(cls, what: str, units: int) -> None:
        if cls.callback is not None and units:
            cls.callback(what, units)

    def _line(self, finished: bool) -> str:
        seconds = max(time.monotonic() - self._started, 1e-9)
        rate = (self._done - self._start) / seconds
        total = "" if self._total is None else f"/{self._total}"
        line = f"{self._title}: {self._done}{total} {self._unit}, {rate:,.1f} {self._unit}/s"
        if finished:
            line += f", {seconds:.0f} s"
        elif self._total is not None and rate > 0:
            line += f", {(self._total - self._done) / rate:.0f} s left"
        return f"{line}, {self._note}" if self._note else line
