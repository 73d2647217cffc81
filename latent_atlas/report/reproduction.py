"""Reproduction of the DAG, with independent stages side by side.

Each worker process runs ``dvc repro --single-item`` for one stage after the other, through DVC's
Python interface, and waits for DVC's locks. A stage starts when all stages before it are done.
Whatever these workers did, a plain ``dvc repro`` ends the reproduction, so that the results never
depend on the order or on the number of workers.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import yaml

from latent_atlas.util.console import UserError, say
from latent_atlas.util.files import write_bytes

Graph = Mapping[str, frozenset[str]]
"""Stage → the stages that it depends on, by DVC's addresses, e.g. ``ingest@clothes``."""

LOCKS = (Path("dvc.lock"), Path("data/dvc.lock"))

LONG = ("train_", "deepcluster")
"""Beginnings of the names of stages that train."""

_LONG_WEIGHT = 8  # of a stage that trains, in the order; it changes no result
_SPAWN = multiprocessing.get_context("spawn")
_TRIES = 20
_TRY_SECONDS = 0.5
_END_SECONDS = 20.0


def reproduce(targets: Sequence[str], jobs: int) -> dict[str, float]:
    """Bring all stages before `targets`, and these, up to date.

    Args:
        targets: stages or dvc.yaml files; empty for all of dvc.yaml.
        jobs: largest number of stages that run at the same time.

    Returns:
        Stage → seconds, for each stage that a worker was given; empty with one job.

    Raises:
        UserError: if a stage fails; stages that run at that time are finished first.
    """
    _restore_locks()
    with _workers(jobs) as workers:
        seconds = dict[str, float]()
        if jobs > 1:
            seconds = _side_by_side(workers, targets or ["dvc.yaml"])
        last = workers[0]
        last.start(tuple(targets), single=False)
        problem = last.result()
        if problem:
            raise UserError(problem)
    return seconds


def order(graph: Graph) -> list[str]:
    """The stages by the work after them, most first; in equal cases by name."""
    after: dict[str, set[str]] = {stage: set() for stage in graph}
    for stage, before in graph.items():
        for one in before & graph.keys():
            after[one].add(stage)
    work: dict[str, int] = {}

    def of(stage: str) -> int:
        if stage not in work:
            own = _LONG_WEIGHT if stage.startswith(LONG) else 1
            work[stage] = own + max(map(of, after[stage]), default=0)
        return work[stage]

    return sorted(graph, key=lambda stage: (-of(stage), stage))


def out_of_date(graph: Graph, changed: frozenset[str]) -> dict[str, frozenset[str]]:
    """The part of `graph` that consists of changed stages and those after them."""
    found = set(changed & graph.keys())
    while more := {stage for stage, before in graph.items() if before & found} - found:
        found |= more
    return {stage: graph[stage] & found for stage in graph if stage in found}


def table(seconds: Mapping[str, float]) -> str:
    """A line per stage, longest first."""
    ordered = sorted(seconds.items(), key=lambda item: -item[1])
    return "\n".join(f"  {value:6.1f} s  {stage}" for stage, value in ordered)


def _side_by_side(workers: Sequence[_Worker], targets: Sequence[str]) -> dict[str, float]:
    graph, always = _stages(targets)
    for stage in always:  # they may change what others depend on
        workers[0].start((stage,), single=True)
        if problem := workers[0].result():
            raise UserError(problem)
    waiting = out_of_date(graph, _changed(targets) - always)
    names, total = order(waiting), len(waiting)
    seconds = dict[str, float]()
    busy: dict[Connection, _Worker] = {}
    problems = list[str]()
    while True:
        free = [worker for worker in workers if worker.replies not in busy]
        ready = [name for name in names if not waiting[name] - seconds.keys()]
        for worker, name in zip(free, ready if not problems else [], strict=False):
            names.remove(name)
            worker.start((name,), single=True)
            busy[worker.replies] = worker
        if not busy:
            break
        for one in wait(list(busy)):
            worker = busy.pop(one)  # type: ignore[call-overload]
            if problem := worker.result():
                say(f"[{worker.stage}] failed")
                problems.append(problem)
                continue
            seconds[worker.stage] = worker.seconds
            say(f"[{worker.stage}] {worker.seconds:.1f} s, {len(seconds)} of {total}")
    if problems:
        raise UserError("; ".join(problems))
    return seconds


def _stages(targets: Sequence[str]) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """The stages before `targets`, these included, and which of them run at every reproduction."""
    import networkx
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(_wait_for_lock=True)
        graph = repo.index.graph
        roots = {stage for target in targets for stage in repo.stage.collect(target)}
    except DvcException as error:
        raise UserError(f"dvc: {error}") from None
    used = roots.union(*(networkx.descendants(graph, root) for root in roots))
    before = {
        stage.addressing: frozenset()
        if stage.frozen
        else frozenset(one.addressing for one in graph.successors(stage))
        for stage in used
    }
    return before, frozenset(stage.addressing for stage in used if stage.always_changed)


def _changed(targets: Sequence[str]) -> frozenset[str]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return frozenset(Repo(_wait_for_lock=True).status(targets=list(targets), with_deps=True))
    except DvcException as error:
        raise UserError(f"dvc: {error}") from None


def _restore_locks() -> None:
    """Replace a lock file that DVC was killed in writing by that of the last commit.

    The stages since then come back from DVC's cache of runs.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in LOCKS:
        if not path.is_file() or _is_whole(path, loader):
            continue
        committed = subprocess.run(  # noqa: S603
            ["git", "show", f"HEAD:./{path.as_posix()}"],  # noqa: S607
            capture_output=True,
            check=False,
        )
        if committed.returncode:
            path.unlink()
            say(f"{path}: damaged by a command that was killed; removed, as no commit has it")
        else:
            write_bytes(path, committed.stdout)
            say(f"{path}: damaged by a command that was killed; replaced by that of the commit")


def _is_whole(path: Path, loader: Any) -> bool:
    """Whether a lock file can be read, and each of its stages has a command and outputs."""
    try:
        stages = yaml.load(path.read_bytes(), loader)["stages"]  # noqa: S506
        return all(
            isinstance(stage, dict)
            and all("md5" in one for kind in ("deps", "outs") for one in stage.get(kind, []))
            for stage in stages.values()
        )
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
        return False


class _Worker:
    """A process that reproduces stages; it ends with this one, whatever ends this one.

    Attributes:
        replies: readable when a stage has ended, or the process.
        stage: name of the last stage that was started.
        seconds: of the last stage that ended.
    """

    def __init__(self, shared: bool) -> None:
        self.stage, self.seconds = "", 0.0
        self.replies, there = _SPAWN.Pipe()
        mine: Connection | None = None
        output: Connection | None = None
        if shared:
            mine, output = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_work, args=(there, output))
        self._process.start()
        there.close()
        if output is not None:
            output.close()
        if mine is not None:
            threading.Thread(target=self._forward, args=(mine,), daemon=True).start()

    def start(self, targets: tuple[str, ...], single: bool) -> None:
        """Reproduce these stages, without those before them if `single`."""
        self.stage = " ".join(targets) or "dvc.yaml"
        with suppress(OSError):  # it has ended; `result` says so
            self.replies.send((targets, single))

    def result(self) -> str:
        """The problem of the last stage, or nothing; waits for its end."""
        try:
            problem, self.seconds = self.replies.recv()
        except (EOFError, OSError):
            self._process.join()
            return f"{self.stage}: its process ended by status {self._process.exitcode}"
        return problem

    def end(self) -> None:
        """End the process and its stage: in order if it can, otherwise by force."""
        self.replies.close()
        self._process.join(_END_SECONDS)
        with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.join()

    def _forward(self, output: Connection) -> None:
        """Print the worker's lines, each with the name of its stage."""
        with output, os.fdopen(os.dup(output.fileno()), errors="replace") as lines:
            for line in lines:
                if line.strip():
                    say(f"[{self.stage}] {line.rstrip()}")


@contextmanager
def _workers(jobs: int) -> Iterator[list[_Worker]]:
    """Workers that end with the block; with more than one, their output is in whole lines."""
    old = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    workers = list[_Worker]()
    try:
        workers += (_Worker(shared=jobs > 1) for _ in range(jobs))
        yield workers
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C leaves no process behind
        for worker in workers:
            worker.end()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, old)


def _work(requests: Connection, output: Connection | None) -> None:
    """The main function of a worker."""
    os.setsid()  # Ctrl-C reaches the parent alone, and a signal the worker with its stage
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: None)  # no signal interrupts DVC while it writes dvc.lock
    if output is not None:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    waiting: queue.SimpleQueue[tuple[tuple[str, ...], bool] | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, waiting), daemon=True).start()
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING if output is not None else logging.INFO)
    repo = Repo(_wait_for_lock=True)
    while request := waiting.get():
        started = time.perf_counter()
        problem = _reproduce(repo, *request)
        with suppress(OSError):  # the parent has ended; `_receive` ends this process
            requests.send((problem, time.perf_counter() - started))
    os._exit(0)


def _reproduce(repo: Any, targets: tuple[str, ...], single: bool) -> str:
    """Reproduce, again where another DVC process holds a path; return the problem, or nothing."""
    from dvc.exceptions import DvcException, ReproductionError
    from dvc.lock import LockError

    for attempt in range(_TRIES):
        try:
            repo.reproduce(targets=list(targets) or None, single_item=single)
            return ""
        except DvcException as error:
            cause = error.__cause__ if isinstance(error, ReproductionError) else error
            if not isinstance(cause, LockError) or attempt == _TRIES - 1:
                return " ".join(f"{error} ({cause})".split()) if cause else str(error)
            time.sleep(_TRY_SECONDS)
    raise AssertionError("unreachable")


def _receive(requests: Connection, waiting: Any) -> None:
    """Pass on requests; when the parent has ended, end the running stage and this process."""
    with suppress(EOFError, OSError):
        while True:
            waiting.put(requests.recv())
    waiting.put(None)
    while True:  # a stage may start just after a signal
        os.killpg(0, signal.SIGTERM)
        time.sleep(_TRY_SECONDS)
