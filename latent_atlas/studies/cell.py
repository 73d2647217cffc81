"""A cell of a study: one training and its measurements, kept in a folder and resumed from it."""

from __future__ import annotations

import hashlib
import json
import shutil
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from latent_atlas.analysis.interpolation import experiments
from latent_atlas.analysis.scene_mixing import evaluator
from latent_atlas.config.registry import MODELS
from latent_atlas.config.runs import BaseRun, Run
from latent_atlas.config.schema import Interpolation, Mixing
from latent_atlas.data.neighbour_table import NeighbourTable, open_neighbours
from latent_atlas.data.store import Store, open_store
from latent_atlas.metrics import disentanglement, factors, reconstruction
from latent_atlas.models.mixing import DenseAE
from latent_atlas.studies.stores import weights_digest
from latent_atlas.training import checkpoint, loop
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import Progress, UserError, fields_of
from latent_atlas.util.files import write_bytes, write_json
from latent_atlas.util.imports import code_digest

MATRICES = "matrices.csv"
"""Relation of each latent to each factor, see `latent_atlas.metrics.disentanglement.Summary`."""

INTERPOLATION = "interpolation.npz"
"""Curves between codes, see `experiments.save_interpolations`."""

RESULT = "result.json"

CHANGED = "code or images changed while the study was running; run it again"
_WEIGHTS = "weights.safetensors"
_CHECKPOINT = (_WEIGHTS, "config.json", "history.csv")


@dataclass(frozen=True)
class Job(ABC):
    """A training and its measurements; picklable, so that a worker process can do them.

    Attributes:
        run: all parameters of the training.
        images: training images times epochs, for the progress bar.
        store: folder of the images.
        folder: all files of the job; its name ends with `fingerprint`.
        fingerprint: of all that the weights depend on.
    """

    run: BaseRun
    images: int
    store: Path
    folder: Path
    fingerprint: str

    @property
    def model(self) -> Path:
        """The checkpoint folder."""
        return self.folder / "model"

    @property
    def log(self) -> Path:
        """Output of the training and the measurements."""
        return self.folder / "log.txt"

    @abstractmethod
    def result(self) -> object | None:
        """The result of the finished job; None if it is still to be trained or measured."""

    @abstractmethod
    def finish(self) -> None:
        """Train unless the checkpoint is complete, measure, and write the result last."""

    def is_trained(self) -> bool:
        """Whether the checkpoint is complete; a copy from another machine may be cut off."""
        try:
            with safe_open(self.model / _WEIGHTS, "pt"):  # compares the header with the size
                return all((self.model / name).is_file() for name in _CHECKPOINT)
        except (OSError, SafetensorError):
            return False

    def remove_parts(self) -> None:
        """Remove what a worker left that was killed while it wrote."""
        for part in self.folder.glob(".*.part"):
            shutil.rmtree(part) if part.is_dir() else part.unlink()


@dataclass(frozen=True)
class CellJob(Job):
    """A cell to finish.

    Attributes:
        active_threshold: see `latent_atlas.metrics.reconstruction`.
        bins: see `latent_atlas.metrics.factors`.
        examine: measure all disentanglement metrics.
        seed: of the study, for interpolation and mixing.
        interpolation: settings of the curves between codes to measure, if any.
        neighbours: folder of the neighbours of the images, if there are any.
        mixing: settings of the mixed scenes to measure, if any.
    """

    run: Run
    active_threshold: float
    bins: int
    examine: bool = False
    seed: int = 0
    interpolation: Interpolation | None = None
    neighbours: Path | None = None
    mixing: Mixing | None = None

    def result(self) -> dict[str, float] | None:
        """The metrics of the finished cell; None if it is still to be trained or measured."""
        try:
            result = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        files = [self.folder / name for name in result.get("files", [])]
        complete = self.is_trained() and all(path.is_file() for path in files)
        if not complete or result.get("measured_by") != self.measured_by():
            return None
        values: dict[str, float] = result["values"]
        return values

    def finish(self) -> None:
        """Train unless the checkpoint is complete, measure, and write the result last.

        Raises:
            UserError: if the training fails, or code or images are not those of `fingerprint`.
        """
        self.remove_parts()
        store = open_store(self.store)
        neighbours = open_neighbours(self.neighbours) if self.neighbours else None
        if fingerprint(self.run, store, neighbours) != self.fingerprint:
            raise UserError(CHANGED)
        if not self.is_trained():
            partners = neighbours if MODELS[self.run.model].partners else None
            with fields_of("train"):
                loop.train(self.run, store, self.model, self.folder / "training.pt", partners)
        trained = open_run(self.model)
        trained.check(store)
        with no_progress():  # the bar of the study counts trainings only
            values = self._measure(trained, store, neighbours)
        files = [name for name in (MATRICES, INTERPOLATION) if (self.folder / name).exists()]
        rounded = {name: float(f"{value:.6g}") for name, value in values.items()}
        result = {"measured_by": self.measured_by(), "values": rounded, "files": files}
        write_json(self.folder / RESULT, result)

    def _measure(
        self, trained: TrainedRun, store: Store, neighbours: NeighbourTable | None
    ) -> dict[str, float]:
        values = reconstruction.evaluate_reconstruction(trained, store, self.active_threshold)
        truth = factors.factors_of(store)
        if truth is not None:
            codes = trained.encode(store.images)
            summary = factors.evaluate_disentanglement(
                codes,
                truth,
                replace(disentanglement.REFERENCE, bins=self.bins),
                self.run.seed,
                complete=self.examine,
            )
            values |= summary.metrics
            if self.examine:
                table = summary.table.to_csv(index=False, float_format="%.6g")
                write_bytes(self.folder / MATRICES, table.encode())
        if self.interpolation is not None:
            with fields_of("interpolation"):
                style = experiments.load_style_measure(self.interpolation, self.seed)
                parts = experiments.interpolate_pairs(
                    self.interpolation, self.seed, store, trained, style
                )
                experiments.save_interpolations(list(parts), self.folder / INTERPOLATION)
        if self.mixing is not None and neighbours and isinstance(trained.model, DenseAE):
            with fields_of("mixing"):
                mixes = evaluator.MixingEvaluator(store, self.mixing, self.seed, neighbours)
                values |= mixes.measure_run(trained)
        return values

    def measured_by(self) -> str:
        """Fingerprint of all that the result depends on beside weights and images."""
        settings: list[object] = [self.active_threshold, self.bins, self.examine]
        modules = [reconstruction, factors, checkpoint]
        for part, module in ((self.interpolation, experiments), (self.mixing, evaluator)):
            if part is not None:
                settings += [self.seed, part.model_dump_json(), weights_digest(part.backbone)]
                modules.append(module)
        if self.mixing is not None and self.neighbours is not None:
            # The name of the folder is their fingerprint, wherever the cache lies.
            settings.append("/".join(self.neighbours.parts[-2:]))
        settings.append(code_digest(module.__name__ for module in modules))
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def finish_cell(job: Job) -> None:
    """Finish a cell; all output goes to its log.

    Raises:
        UserError: if it fails. The log has the traceback of any other error.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with (
        job.log.open("a", encoding="utf-8", buffering=1) as log,
        redirect_stdout(log),
        redirect_stderr(log),
    ):
        try:
            job.finish()
        except UserError:
            raise
        except Exception as error:  # whatever it is, the other cells are finished
            traceback.print_exc()
            raise UserError(f"{type(error).__name__}: {error} (the log is {job.log})") from None


@contextmanager
def no_progress() -> Iterator[None]:
    """Report no progress in this block."""
    callback, Progress.callback = Progress.callback, None
    try:
        yield
    finally:
        Progress.callback = callback


def fingerprint(run: Run, store: Store, neighbours: NeighbourTable | None = None) -> str:
    """Fingerprint of all that the weights of a cell depend on: parameters, images and code."""
    parameters = run.model_dump(mode="json", exclude={"name": True, "family": True})
    for key in ("epochs", "checkpoint_seconds", "accelerator"):  # run.epochs holds the number
        del parameters["train"][key]
    contents = [json.dumps(parameters, sort_keys=True), store.digest, loop.code_digest(run)]
    if neighbours is not None and MODELS[run.model].partners:
        contents.append(neighbours.digest)
    return hashlib.sha256("\n".join(contents).encode()).hexdigest()[:16]
