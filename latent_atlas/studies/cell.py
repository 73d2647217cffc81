"""``python -m latent_atlas.studies.cell``: a worker that trains and measures the cells it is told to.

It reads an `Order` a line from its standard input, and answers on its standard output with lines
``skipped <images>``, ``done <images>``, and at the end ``finished`` or ``failed <reason>``. When
the input closes, because the study has ended or was killed, it ends at once: everything that it
writes is written whole, and an unfinished training goes on from its last state.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import torch
from safetensors import SafetensorError, safe_open

from latent_atlas.analysis.interpolation import experiments
from latent_atlas.analysis.interpolation.experiments import Asked
from latent_atlas.analysis.scene_mixing import evaluator
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import Run
from latent_atlas.data.neighbour_table import Neighbours, open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.metrics import disentanglement, factors, reconstruction
from latent_atlas.models.mixing import DenseAE
from latent_atlas.studies import digests
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import Progress, UserError
from latent_atlas.util.files import write_bytes, write_json

TELL_SECONDS = 0.5
"""At most so often a worker tells of its progress."""

MATRICES = "matrices.csv"
"""How each latent relates to each factor, as of `disentanglement.matrices`."""

WALKS = "walks.npz"
"""Paths between codes, as of `experiments.save`."""

_RESULT = "result.json"
_WEIGHTS = "weights.safetensors"
_CHECKPOINT = (_WEIGHTS, "config.json", "environment.json", "history.csv")


@dataclass(frozen=True)
class Order:
    """A cell to finish.

    Attributes:
        run: all parameters of the training.
        store: folder of the images.
        folder: for everything that becomes of the cell; its name ends with `fingerprint`.
        fingerprint: of what the weights depend on.
        active_threshold: as in `measure.measure`.
        bins: as in `factors.measure`.
        examine: whether all metrics of disentanglement are wanted.
        walks: paths between codes, if they are wanted.
        neighbours: folder of the neighbours of the images, if there are any.
        mixes: measures of mixed scenes, if they are wanted.
    """

    run: Run
    store: Path
    folder: Path
    fingerprint: str
    active_threshold: float
    bins: int
    examine: bool = False
    walks: Asked | None = None
    neighbours: Path | None = None
    mixes: evaluator.Asked | None = None

    @property
    def model(self) -> Path:
        """The checkpoint folder."""
        return self.folder / "model"

    @property
    def log(self) -> Path:
        """What the training and measuring said."""
        return self.folder / "log.txt"

    def line(self) -> str:
        """The order as a line of JSON."""
        return json.dumps(
            {
                "run": self.run.model_dump(mode="json"),
                "store": str(self.store),
                "folder": str(self.folder),
                "fingerprint": self.fingerprint,
                "active_threshold": self.active_threshold,
                "bins": self.bins,
                "examine": self.examine,
                "walks": self.walks and self.walks.dump(),
                "neighbours": self.neighbours and str(self.neighbours),
                "mixes": self.mixes and self.mixes.dump(),
            }
        )

    @staticmethod
    def read(line: str) -> Order:
        """The order that `line` made a line of."""
        values = json.loads(line)
        return Order(
            Run.model_validate_json(json.dumps(values["run"])),
            Path(values["store"]),
            Path(values["folder"]),
            values["fingerprint"],
            values["active_threshold"],
            values["bins"],
            values["examine"],
            values["walks"] and Asked.read(values["walks"]),
            values["neighbours"] and Path(values["neighbours"]),
            values["mixes"] and evaluator.Asked.read(values["mixes"]),
        )

    def result(self) -> dict[str, float] | None:
        """The numbers of the finished cell; None if it is to be trained or measured yet."""
        try:
            found = json.loads((self.folder / _RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = self._is_trained() and all(
            (self.folder / name).is_file() for name in found.get("beside", [])
        )
        return (
            found["values"] if whole and found.get("measured_by") == self._measured_by() else None
        )

    def _is_trained(self) -> bool:
        """Whether the checkpoint is whole; a copy from another machine may have been cut off."""
        try:
            with safe_open(self.model / _WEIGHTS, "pt"):  # its header has to fit its size
                return all((self.model / name).is_file() for name in _CHECKPOINT)
        except (OSError, SafetensorError):
            return False

    def work(self) -> None:
        """Train what is not trained, measure, and write the result last.

        Raises:
            UserError: if the training fails, or code or images are no longer those of the order.
        """
        for part in self.folder.glob(".*.part"):  # of a worker that was killed while it wrote
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        store = open_store(self.store)
        neighbours = open_neighbours(self.neighbours) if self.neighbours else None
        if fingerprint(self.run, store, neighbours) != self.fingerprint:
            raise UserError("code or images changed while the study was running; start it again")
        if not self._is_trained():
            company = neighbours if MODELS[self.run.model].company else None
            # The loop reads a company's digest, which is fixed here.
            loop.train(self.run, store, self.model, self.folder / "training.pt", company)  # type: ignore[arg-type]
        opened = open_run(self.model)
        opened.check(store)
        values = reconstruction.measure(opened, store, self.active_threshold)
        truth = factors.factors_of(store)
        if truth is not None:
            codes = opened.encode(store.images)
            values |= factors.measure(codes, truth, self.bins)
            if self.examine:
                settings = replace(disentanglement.REFERENCE, bins=self.bins)
                found = factors.examine(codes, truth, self.run.seed, settings)
                values |= found.metrics
                table = found.table.to_csv(index=False, float_format="%.6g")
                write_bytes(self.folder / MATRICES, table.encode())
        if self.walks is not None:
            _walk(self.walks, store, opened, self.folder / WALKS)
        if self.mixes is not None and neighbours is not None:
            values |= _mix(self.mixes, store, self.model, neighbours)
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        result = {
            "measured_by": self._measured_by(),
            "values": rounded,
            "beside": [name for name in (MATRICES, WALKS) if (self.folder / name).exists()],
        }
        write_json(self.folder / _RESULT, result)

    def _measured_by(self) -> str:
        settings = f"{self.active_threshold} {self.bins}{' examine' if self.examine else ''}"
        code = list(digests.MEASURES)
        if self.walks is not None:
            settings += json.dumps(self.walks.dump(), sort_keys=True)
            code += digests.WALKS
        if self.mixes is not None:
            settings += json.dumps(self.mixes.dump(), sort_keys=True)
            # Its name tells what the neighbours follow from, wherever the cache lies.
            settings += "/".join(self.neighbours.parts[-2:]) if self.neighbours else ""
            code += digests.MIXES
        digest = hashlib.sha256(settings.encode())
        for file in code:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


def _walk(asked: Asked, store: Store, trained: TrainedRun, path: Path) -> None:
    """Measure and keep the paths between codes; the study's bar counts trainings alone."""
    with _unheard():
        experiments.save(list(experiments.walk(asked, store, trained, asked.measure())), path)


def _mix(
    asked: evaluator.Asked, store: Store, model: Path, neighbours: Neighbours
) -> dict[str, float]:
    """Measure mixed scenes, where the codes of the model can be mixed."""
    trained = open_run(model)
    if not isinstance(trained.model, DenseAE):
        return {}
    with _unheard():
        return evaluator.Bench(store, asked, neighbours).of_run(trained)


@contextmanager
def _unheard() -> Iterator[None]:
    """Let nobody hear of the progress in this block."""
    listener, Progress.callback = Progress.callback, None
    try:
        yield
    finally:
        Progress.callback = listener


def fingerprint(run: Run, store: Store, neighbours: Neighbours | None = None) -> str:
    """What the weights of a cell follow from: its parameters, its images, and the code at work."""
    parameters = run.model_dump(mode="json", exclude={"name": True, "family": True})
    for key in ("epochs", "checkpoint_seconds", "accelerator"):  # run.epochs holds the number
        del parameters["train"][key]
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    digest.update(store.digest.encode())
    if neighbours is not None and MODELS[run.model].company:
        digest.update(neighbours.digest.encode())
    chooser = [Path(inspect.getfile(Neighbours))] if MODELS[run.model].company else []
    digest.update(loop.code_digest(run, loop.new_model(run, store.shape), *chooser))
    return digest.hexdigest()[:16]


def main() -> None:
    """Carry out orders until there are no more."""
    torch.set_num_threads(1)  # so that no result depends on how many cells run at once
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    while True:
        _carry_out(Order.read(orders.get()), answers)


def _listen(orders: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(0)


def _carry_out(order: Order, answers: TextIO) -> None:
    order.folder.mkdir(parents=True, exist_ok=True)
    with order.log.open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        teller = _Teller(answers)
        Progress.callback = teller
        try:
            order.work()
        except UserError as error:
            reason = " ".join(str(error).split())
            answers.write(f"failed {reason}\n")
        except Exception as error:  # the other cells must not be lost, whatever it is
            sys.excepthook(type(error), error, error.__traceback__)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            answers.write(f"failed {reason} (the log is {order.log})\n")
        else:
            teller.flush()
            answers.write("finished\n")


class _Teller:
    """Passes progress on, not more often than is useful."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, what: str, units: int) -> None:
        if what == "skipped":
            self._answers.write(f"skipped {units}\n")
            return
        self._done += units
        if time.monotonic() - self._told >= TELL_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._answers.write(f"done {self._done}\n")
        self._done, self._told = 0, time.monotonic()


if __name__ == "__main__":
    main()
