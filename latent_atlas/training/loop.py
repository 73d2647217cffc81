"""The one training loop: CPU, CUDA, MPS, mixed precision, several processes, interruptions.

Nothing random is carried along. The order of the images follows from (seed, epoch) and the noise
from (seed, epoch, step), drawn for the global batch; so a run that was killed and resumed, and one
that was not, do the same arithmetic, and processes share a batch without changing it.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import math
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors.torch import save
from torch import Tensor

from latent_atlas.config.registry import NETWORKS, build
from latent_atlas.config.runs import Run, Train
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Store
from latent_atlas.models.base import Batch, Model, Phase, Recipe
from latent_atlas.util.console import Progress, UserError, say
from latent_atlas.util.files import folder, write_bytes, write_json

if TYPE_CHECKING:
    from lightning_fabric import Fabric

VALIDATION_BATCH = 200
"""Images at once while validating, where each is judged alone, so that it changes no result."""

CHECK_EVERY = 20
"""Steps between looks at the losses: each look makes an accelerator wait."""

_REGISTRY = build.__module__


class Company(Protocol):
    """Which other images of a store join each image in its sample.

    Attributes:
        digest: of all that the choice follows from.
    """

    digest: str

    def draw(
        self, rows: npt.NDArray[np.int64], random: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """K rows of the store for each of B `rows`, and their distances: B×K each."""


def train(run: Run, store: Store, out: Path, resume: Path, company: Company | None = None) -> None:
    """Train `run` on `store` and write the checkpoint folder `out`.

    Args:
        run: the resolved parameters.
        store: images with a train and a valid split.
        out: becomes ``weights.safetensors``, ``config.json``, ``environment.json`` and
            ``history.csv`` (a row an epoch; losses are means over images).
        resume: file for the state of an unfinished training. A state of other parameters, data or
            code is discarded; it is removed when the training is done.
        company: the further images of each sample, for models that want them.

    Raises:
        UserError: if a split is empty, or the loss stops being a number.
    """
    phases = new_model(run, store.shape).phases()
    fabric = make_fabric(run.train, alternating=len(phases) > 1)
    training = _Training(fabric, run, store, resume, company)
    training.finish()
    if fabric.is_global_zero:
        _write_checkpoint(training, out)
        resume.unlink(missing_ok=True)
    fabric.barrier()


def make_fabric(train: Train, alternating: bool = False) -> Fabric:
    """Fabric on the asked device; under ``torchrun`` with all of its processes.

    Args:
        train: the section of params.yaml.
        alternating: not every backward pass reaches every weight.
    """
    from lightning_fabric import Fabric  # over a second, which who opens a trained run can save

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is not repeatable
    torch.use_deterministic_algorithms(True)
    # It would also fill all new memory with NaN, which finds faulty kernels and costs 7 % here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    ddp = "ddp_find_unused_parameters_true" if alternating else "ddp"
    try:
        fabric = Fabric(
            accelerator=train.accelerator,
            devices=local,
            num_nodes=world // local,
            strategy=ddp if world > 1 else "auto",
            precision=train.precision,
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"train.accelerator: {train.accelerator!r} cannot be used here ({error}); "
            "set it to auto or cpu"
        ) from None
    fabric.launch()
    return fabric


def new_model(run: Run, shape: tuple[int, int, int]) -> Model:
    """The untrained model of `run`; the seed is set before anything random is built."""
    torch.manual_seed(seed_for(run.seed, "weights"))
    recipe = Recipe(
        shape=shape,
        latent_dim=run.latent_dim,
        network=run.network,
        likelihood=run.likelihood,
        beta=run.beta,
        weights=run.loss_weights,
        options=run.options,
    )
    return build(run.model, recipe)


def mean_image(store: Store, rows: npt.NDArray[np.int64], most: int = 1000) -> Tensor:
    """C×H×W in [0, 1]: the mean of every k-th image in `rows`, `most` to twice as many of them."""
    spread = rows[:: max(1, len(rows) // most)]
    mean = store.images[spread].mean(axis=0, dtype=np.float64) / 255
    return torch.from_numpy(mean.astype(np.float32)).permute(2, 0, 1)


def seed_for(*parts: int | str) -> int:
    """A 63-bit seed that follows from `parts` alone."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def normal(rows: int, columns: int, *parts: int | str) -> Tensor:
    """Standard normal rows×columns, float32, seeded by `parts`; the same on every device."""
    generator = torch.Generator().manual_seed(seed_for(*parts))
    return torch.randn(rows, columns, generator=generator)


def learning_rate(train: Train, epoch: int) -> float:
    """The rate in `epoch` (from 1): the last step of the schedule that it has reached."""
    reached = [start for start in train.schedule if start <= epoch]
    return train.learning_rate * (train.schedule[max(reached)] if reached else 1.0)


def fingerprint(
    run: Run, store: Store, company: Company | None, model: Model, fabric: Fabric
) -> str:
    """What an unfinished training must share to go on: parameters, data, code, machine."""
    parameters = run.model_dump(mode="json")
    del parameters["train"]["checkpoint_seconds"]
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    digest.update(store.digest.encode())
    digest.update(company.digest.encode() if company is not None else b"")
    chooser = [Path(inspect.getfile(type(company)))] if company is not None else []
    digest.update(code_digest(run, model, *chooser))
    digest.update(json.dumps(environment(fabric), sort_keys=True).encode())
    return digest.hexdigest()


def code_digest(run: Run, model: Model, *others: Path) -> bytes:
    """Of the code that decides what a training of `model`, built for `run`, computes, and `others`.

    What the registry says of other models and networks is no part of it.
    """
    digest = hashlib.sha256(repr(NETWORKS[run.network].size).encode())
    files = {Path(inspect.getfile(module)) for module in _modules_of(model)}
    for file in sorted({*files, *others, Path(__file__)}):
        digest.update(file.read_bytes())
    return digest.digest()


def _modules_of(model: Model) -> set[ModuleType]:
    """Those of `latent_atlas.models` that its classes come from, and that these import in turn."""
    classes = {cls for part in model.modules() for cls in type(part).__mro__}
    new, found = {cls.__module__ for cls in classes}, set[str]()
    while (
        new := {name for name in new if name.startswith("latent_atlas.models.")}
        - found
        - {_REGISTRY}
    ):
        found |= new
        values = [value for name in new for value in vars(sys.modules[name]).values()]
        new = {str(getattr(value, "__module__", "")) for value in values}
        new |= {value.__name__ for value in values if isinstance(value, ModuleType)}
    return {sys.modules[name] for name in found}


def environment(fabric: Fabric) -> dict[str, Any]:
    """What the bits of a result depend on, beside parameters, data and code."""
    device = fabric.device.type
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(fabric.device) if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "processes": fabric.world_size,
    }


@dataclass
class _Progress:
    """Where a training stands: all that a checkpoint holds beside weights and optimiser."""

    epoch: int = 1
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


class _Training:
    def __init__(
        self,
        fabric: Fabric,
        run: Run,
        store: Store,
        resume: Path,
        company: Company | None = None,
    ) -> None:
        self.fabric, self.run, self.store, self.resume = fabric, run, store, resume
        self.company = company
        self.rows = store.rows("train")
        self.valid_rows = store.rows("valid")
        for split, rows in (("train", self.rows), ("valid", self.valid_rows)):
            if len(rows) == 0:
                raise UserError(
                    f"{store.path}: no image in the {split} split; "
                    f"change data.{store.name}.valid_share or add images"
                )
        self.labels = torch.from_numpy(store.labels())
        self.model = new_model(run, store.shape)
        self._check_labels()
        if run.train.mean_start:
            self.model.start_from(mean_image(store, self.rows))
        self.model.to(memory_format=torch.channels_last)
        self.fingerprint = fingerprint(run, store, company, self.model, fabric)
        self.phases = self.model.phases()
        self._check_epochs()
        self.moving = {name: _weights(self.model, phase) for name, phase in self.phases.items()}
        self.optimizers = {name: self._adam(name, one) for name, one in self.phases.items()}
        self.module, *_ = fabric.setup(self.model, *self.optimizers.values())
        self.at = _Progress()
        self.saved = time.monotonic()
        self._restore()

    def _check_labels(self) -> None:
        try:
            self.model.check_labels(self.labels[torch.from_numpy(self.rows)])
        except ValueError as error:
            raise UserError(
                f"run {self.run.name}: model {self.run.model} {error} "
                f"({len(self.rows)} training images of {self.store.path}); "
                f"give data.{self.store.name} another source, or the run another model"
            ) from None

    def _check_epochs(self) -> None:
        """Refuse a training too short for one of its phases."""
        epochs = self.run.epochs
        for name, phase in self.phases.items():
            if not any(phase.acts(epoch, epochs) for epoch in range(1, epochs + 1)):
                raise UserError(
                    f"run {self.run.name}: {epochs} epochs leave none for phase {name!r} of model "
                    f"{self.run.model}, which acts from {phase.begin:g} to {phase.end:g} of the "
                    "training; raise the epochs, or change the run's options"
                )

    def _adam(self, name: str, phase: Phase) -> torch.optim.Adam:
        fused = self.fabric.device.type in ("cpu", "cuda")  # one pass over the weights
        rate = self.run.train.learning_rate
        return torch.optim.Adam(self.moving[name], rate, betas=phase.betas, fused=fused)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return math.ceil(len(self.rows) / self.run.train.batch_size)

    def finish(self) -> None:
        """Go on from where the training stands to its last epoch."""
        done = min(
            (self.at.epoch - 1) * len(self.rows) + self.at.step * self.run.train.batch_size,
            self.run.epochs * len(self.rows),
        )
        with Progress(
            f"train {self.run.name}",
            self.run.epochs * len(self.rows),
            "images",
            start=done,
            quiet=not self.fabric.is_global_zero,
        ) as progress:
            while self.at.epoch <= self.run.epochs and not self._out_of_patience():
                self._epoch(progress)

    def _epoch(self, progress: Progress) -> None:
        self.module.train()
        seed, epoch, size = self.run.seed, self.at.epoch, self.run.train.batch_size
        order = np.random.default_rng([seed, epoch]).permutation(self.rows)
        sums = _Sums(self.fabric, self.at.sums)
        # One process on a CPU waits for nobody when it looks; it stops in the very step.
        alone = self.fabric.device.type == "cpu" and self.fabric.world_size == 1
        every = 1 if alone else CHECK_EVERY
        for step in range(self.at.step, self.steps):
            rows = order[step * size : (step + 1) * size]
            self._step(rows, sums)
            progress.advance(len(rows))
            self.at.step = step + 1
            if self.at.step % every == 0:
                self._stop_if_no_number(sums.totals())
            if self.at.step % CHECK_EVERY == 0:
                self._look(sums, progress)
        self._look(sums, progress)
        self._close_epoch(sums.means(len(self.rows)))
        self._save_if_due()

    def _step(self, rows: npt.NDArray[np.int64], sums: _Sums) -> None:
        place = (self.run.seed, "train", self.at.epoch, self.at.step)
        noise = normal(len(rows), self.model.noise_dim, *place)
        mine = self._share(rows, noise, self._company_at(*place))
        # DDP averages the gradients of its processes; the mean is over the images of all.
        scale = self.fabric.world_size / len(rows)
        number = (self.at.epoch - 1) * self.steps + self.at.step
        for name, phase in self._acting().items():
            optimizer = self.optimizers[name]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(self.run.train, self.at.epoch) * phase.rate(number)
            self._move_only(name)
            for _ in range(phase.repeat):
                losses = self._losses(mine, name)
                optimizer.zero_grad(set_to_none=True)
                self.fabric.backward(losses[phase.loss].sum() * scale)
                optimizer.step()
            sums.add(losses)

    def _acting(self, epoch: int | None = None) -> dict[str, Phase]:
        """The phases of an epoch, of this one if none is named."""
        at, epochs = epoch or self.at.epoch, self.run.epochs
        return {name: phase for name, phase in self.phases.items() if phase.acts(at, epochs)}

    def _move_only(self, name: str) -> None:
        """Let no gradient be computed for weights that another phase moves."""
        if len(self.phases) == 1:
            return
        self.model.requires_grad_(False)
        for weight in self.moving[name]:
            weight.requires_grad_(True)

    def _losses(self, batch: Batch, phase: str) -> dict[str, Tensor]:
        """The terms of a phase's loss; a process alone spares the time of the wrappers."""
        if self.fabric.world_size > 1:
            losses: dict[str, Tensor] = self.module(batch, phase)
            return losses
        with self.fabric.autocast():
            return self.model(batch, phase)

    def _company_at(self, *place: int | str) -> tuple[Company, np.random.Generator] | None:
        """The company that images have, if they have any, and what chooses it at `place`."""
        if self.company is None:
            return None
        return self.company, np.random.default_rng(seed_for("company", *place))

    def _share(
        self,
        rows: npt.NDArray[np.int64],
        noise: Tensor,
        company: tuple[Company, np.random.Generator] | None,
    ) -> Batch:
        """This process's images of a global batch, with their company."""
        mine = slice(self.fabric.global_rank, None, self.fabric.world_size)
        pixels = torch.from_numpy(self.store.images[rows[mine]])
        labels = self.labels[torch.from_numpy(rows[mine])]
        pixels, noise, labels = self._on_device(pixels, noise[mine], labels)
        progress = (self.at.epoch - 1 + self.at.step / self.steps) / self.run.epochs
        batch = Batch(to_images(pixels), noise, labels, min(progress, 1.0))
        if company is None:
            return batch
        choices, random = company
        others, distances = choices.draw(rows, random)
        pixels, near = self._on_device(
            torch.from_numpy(self.store.images[others[mine]]), torch.from_numpy(distances[mine])
        )
        images = to_images(pixels.flatten(0, 1)).view(*near.shape, *batch.images.shape[1:])
        return batch._replace(others=images, distances=near)

    def _on_device(self, *tensors: Tensor) -> list[Tensor]:
        """As Fabric's `to_device`, whose search through any collection costs more than it moves."""
        return [tensor.to(self.fabric.device) for tensor in tensors]

    def _look(self, sums: _Sums, progress: Progress) -> None:
        """Stop if the losses are no numbers; else show them, and save if it is time."""
        totals = sums.totals()
        self._stop_if_no_number(totals)
        seen = min(self.at.step * self.run.train.batch_size, len(self.rows))
        progress.note(
            f"epoch {self.at.epoch}/{self.run.epochs} "
            + " ".join(f"{name} {value / seen:.1f}" for name, value in totals.items())
        )
        self.at.sums = totals
        if self.at.step < self.steps:
            self._save_if_due()

    def _stop_if_no_number(self, values: dict[str, float]) -> None:
        """Raise UserError, which names the place and what is kept, if a value is not finite."""
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if not wrong:
            return
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        kept = f"; the state before it is kept in {self.resume}" if self.resume.exists() else ""
        raise UserError(
            f"run {self.run.name}: the loss is not a number any more at epoch "
            f"{self.at.epoch}, step {self.at.step} ({wrong[0]}{more}){kept}; lower "
            f"train.learning_rate (found {self.run.train.learning_rate:g})"
        )

    def _close_epoch(self, train: dict[str, float]) -> None:
        row: dict[str, float] = {
            "epoch": self.at.epoch,
            "learning_rate": learning_rate(self.run.train, self.at.epoch),
        }
        row |= {f"train_{name}": value for name, value in train.items()}
        valid = self._validate()
        self._stop_if_no_number({f"validation {name}": value for name, value in valid.items()})
        row |= {f"valid_{name}": value for name, value in valid.items()}
        self.at.history.append(row)
        self.at.epoch, self.at.step, self.at.sums = self.at.epoch + 1, 0, {}

    def _validate(self) -> dict[str, float]:
        """Mean losses over the valid split, with the same noise in every epoch."""
        self.module.eval()
        rows, size = self.valid_rows, VALIDATION_BATCH
        if self.model.compares:  # as in training: batches of its size, and of all classes
            order = np.random.default_rng(seed_for(self.run.seed, "valid order"))
            rows, size = order.permutation(rows), self.run.train.batch_size
        noise = normal(len(rows), self.model.noise_dim, self.run.seed, "valid")
        company = self._company_at(self.run.seed, "valid")
        sums = _Sums(self.fabric, {})
        with torch.no_grad():
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                batch = self._share(rows[part], noise[part], company)
                for name in self._acting():
                    sums.add(self._losses(batch, name))
        return sums.means(len(rows))

    def _out_of_patience(self) -> bool:
        patience = self.run.train.patience
        if patience is None:
            return False
        # Losses of different phases do not compare, and none but the last may end the training.
        last = self._acting(self.run.epochs)
        history = [row for row in self.at.history if self._acting(int(row["epoch"])) == last]
        losses = [row["valid_loss"] for row in history]
        return len(losses) > patience and min(losses[-patience:]) >= min(losses[:-patience])

    def _save_if_due(self) -> None:
        due = time.monotonic() - self.saved >= self.run.train.checkpoint_seconds
        # Every process must take the same branch, or the next collective call would hang.
        due = self.fabric.broadcast(due) if self.fabric.world_size > 1 else due
        if not due:
            return
        self.saved = time.monotonic()
        # A finite loss can have a gradient that is not: such weights replace no good state.
        weights = self.model.state_dict()
        sums = {f"weights {name}": float(value.sum()) for name, value in weights.items()}
        self._stop_if_no_number(sums)
        if self.fabric.is_global_zero:
            state = {
                "fingerprint": self.fingerprint,
                "model": weights,
                "optimizers": {name: one.state_dict() for name, one in self.optimizers.items()},
                "at": asdict(self.at),
            }
            buffer = io.BytesIO()
            torch.save(state, buffer)
            write_bytes(self.resume, buffer.getvalue())

    def _restore(self) -> None:
        if not self.resume.is_file():
            return
        try:
            state = torch.load(self.resume, map_location=self.fabric.device, weights_only=True)
        except Exception as error:
            raise UserError(
                f"{self.resume}: unreadable training state ({type(error).__name__}); remove it"
            ) from None
        if state.get("fingerprint") != self.fingerprint:
            if self.fabric.is_global_zero:
                say(f"{self.resume}: of other parameters, data or code; starting anew")
            return
        self.model.load_state_dict(state["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.at = _Progress(**state["at"])
        if self.fabric.is_global_zero:
            say(f"going on from epoch {self.at.epoch}, step {self.at.step} in {self.resume}")


def _weights(model: Model, phase: Phase) -> list[torch.nn.Parameter]:
    """The weights that move in `phase`."""
    parts = [model.get_submodule(name) for name in phase.parts] or [model]
    return [weight for part in parts for weight in part.parameters()]


class _Sums:
    """Running sums of loss terms over images, in float64, kept on the device."""

    def __init__(self, fabric: Fabric, start: dict[str, float]) -> None:
        self._fabric = fabric
        # MPS has no float64; its sums stay in float32.
        self._wide = torch.float32 if fabric.device.type == "mps" else torch.float64
        # Sums of a resumed epoch go on where they stood, in the same order of additions.
        self._sums = {
            name: torch.tensor(
                total if fabric.is_global_zero else 0.0, dtype=self._wide, device=fabric.device
            )
            for name, total in start.items()
        }

    def add(self, losses: dict[str, Tensor]) -> None:
        for name, values in losses.items():
            total = values.detach().sum(dtype=self._wide)
            self._sums[name] = self._sums[name] + total if name in self._sums else total

    def totals(self) -> dict[str, float]:
        """Sums over all images and processes so far."""
        if not self._sums:
            return {}
        stacked = torch.stack(list(self._sums.values()))
        if self._fabric.world_size > 1:
            torch.distributed.all_reduce(stacked)
        return dict(zip(self._sums, stacked.tolist(), strict=True))

    def means(self, images: int) -> dict[str, float]:
        """Means over `images` images in all processes."""
        return {name: total / images for name, total in self.totals().items()}


def _write_checkpoint(training: _Training, out: Path) -> None:
    with folder(out) as part:
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in training.model.state_dict().items()
        }
        write_bytes(part / "weights.safetensors", save(weights))  # a full disk is one line, too
        pd.DataFrame(training.at.history).to_csv(
            part / "history.csv", index=False, float_format="%.6g"
        )
        write_json(part / "environment.json", environment(training.fabric))
        write_json(
            part / "config.json",
            {
                "run": training.run.model_dump(mode="json"),
                "shape": list(training.store.shape),
                "data": {
                    "source": training.store.card["source"],
                    "digest": training.store.digest,
                    "train_images": len(training.rows),
                    "valid_images": len(training.valid_rows),
                },
            },
        )
