"""The training loop of every model: CPU, CUDA, MPS, mixed precision, several processes.

No random state is carried along. The order of the images depends on (seed, epoch) alone, and the
noise on (seed, epoch, step); noise is drawn for the global batch. So an interrupted and resumed
training does the same arithmetic as an uninterrupted one, and processes share a batch without
changing it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from latent_atlas.config.registry import NETWORKS
from latent_atlas.config.runs import BaseRun, Run
from latent_atlas.data.pixels import to_images
from latent_atlas.data.store import Images, Store
from latent_atlas.models.base import Batch, Model, Phase, Stateful
from latent_atlas.models.build import new_model
from latent_atlas.models.networks.layers import Decorrelation
from latent_atlas.models.recipes import RECIPES
from latent_atlas.training.checkpoint import weights_of, write_checkpoint
from latent_atlas.training.fabric import make_fabric, record_environment
from latent_atlas.training.resume import ResumeFile, fingerprint
from latent_atlas.util import imports
from latent_atlas.util.console import Progress, UserError, say
from latent_atlas.util.seeds import seed_for

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Rows = npt.NDArray[np.int64]

VALIDATION_BATCH = 200
"""Images per validation batch of models that treat every image alone: it changes no result."""

CHECK_EVERY = 20
"""Steps between two readings of the losses; each makes an accelerator wait."""


class PartnerSource(Protocol):
    """The partner images of each image of a store."""

    @property
    def digest(self) -> str:
        """Digest of everything that `draw` depends on, beside its arguments."""

    @property
    def images(self) -> Images | None:
        """uint8 images that the drawn rows are rows of; None for those of the store."""

    def draw(self, rows: Rows, random: np.random.Generator) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Draw K rows of `images` for each of B `rows`, with their distances: B×K each."""


@dataclass(frozen=True)
class Selection:
    """The samples of a training, where they are not simply the images of a store.

    Attributes:
        train, valid: rows of the store; a row may occur more than once.
        attributes: numbers of the values of A attributes of each image of the store, N×A.
        digest: of all that the above, and the partners, depend on beside the store.
        card: what ``config.json`` says of it, e.g. the values of the attributes.
    """

    train: Rows
    valid: Rows
    attributes: Rows | None
    digest: str
    card: Mapping[str, Any]


def train(
    run: BaseRun,
    store: Store,
    out: Path,
    resume: Path,
    partners: PartnerSource | None = None,
    model: Model | None = None,
    selection: Selection | None = None,
) -> None:
    """Train `run` on `store` and write the checkpoint folder `out`.

    Args:
        run: the resolved parameters.
        store: images with a train and a valid split.
        out: the checkpoint folder, see `latent_atlas.training.checkpoint`.
        resume: file for the state of an unfinished training. A state of other parameters, data or
            code is discarded. The file is removed when the training is done.
        partners: the partner images of each sample, for models that mix or translate images.
        model: the untrained model; by default the one that `run` describes.
        selection: the samples; by default all images of the store, without attributes.

    Raises:
        UserError: if a split is empty, the labels do not suit the model, or a loss is not finite.
        FieldError: if there is no such accelerator.
    """
    model = _model_of(run, store) if model is None else model
    fabric = make_fabric(run.train, alternating=len(model.phases()) > 1)
    training = Training(fabric, run, store, resume, partners, model, selection)
    training.finish()
    if fabric.is_global_zero:
        data = {
            "source": store.card["source"],
            "digest": store.digest,
            "train_images": len(training.rows),
            "valid_images": len(training.valid_rows),
            **(selection.card if selection else {}),
        }
        config = {"run": run.model_dump(mode="json"), "shape": list(store.shape), "data": data}
        write_checkpoint(out, weights_of(training.model), training.at.history, config)
        record_environment(fabric, resume)
        resume.unlink(missing_ok=True)
    fabric.barrier()


def _model_of(run: BaseRun, store: Store) -> Model:
    if not isinstance(run, Run):
        raise TypeError(f"run {run.name}: its model needs more than a store to be built")
    return new_model(run, store.shape)


def mean_image(store: Store, rows: Rows, most: int = 1000) -> Tensor:
    """C×H×W in [0, 1]: the mean of every k-th image in `rows`, `most` to twice as many of them."""
    spread = rows[:: max(1, len(rows) // most)]
    mean = store.images[spread].mean(axis=0, dtype=np.float64) / 255
    return torch.from_numpy(mean.astype(np.float32)).permute(2, 0, 1)


def channel_statistics(store: Store, rows: Rows, most: int = 1000) -> tuple[Tensor, Tensor]:
    """Mean (C) and covariance (C×C) of the channels over the pixels of the images of `mean_image`.

    Pixels are in [0, 1]. The sums are of integers, so that they are exact.
    """
    spread = rows[:: max(1, len(rows) // most)]
    pixels = store.images[spread].reshape(-1, store.shape[2]).astype(np.int64)
    mean = torch.from_numpy(pixels.sum(0) / len(pixels) / 255)
    squares = torch.from_numpy((pixels.T @ pixels) / len(pixels) / 255**2)
    return mean, squares - torch.outer(mean, mean)


def normal(rows: int, columns: int, *parts: int | str) -> Tensor:
    """Standard normal rows×columns, float32, seeded by `parts`; the same on every device."""
    generator = torch.Generator().manual_seed(seed_for(*parts))
    return torch.randn(rows, columns, generator=generator)


def learning_rate(run: BaseRun, epoch: int, done: float) -> float:
    """The learning rate in `epoch` (from 1), by the schedule and the recipe.

    Args:
        run: of the training.
        epoch: the factor is that of the last step of the schedule that the epoch has reached.
        done: share of the steps that are done.
    """
    schedule = run.train.schedule
    reached = [start for start in schedule if start <= epoch]
    rate = run.train.learning_rate * (schedule[max(reached)] if reached else 1.0)
    return rate * RECIPES[run.recipe].rate(done)


def code_digest(run: BaseRun) -> str:
    """Digest of the code that decides the weights of a run: its model's, its network's, and this.

    The registry's lines for other models and networks are no part of it.
    """
    code = imports.code_digest([__name__, *run.modules()])
    return f"{code} {NETWORKS[run.network].size}" if isinstance(run, Run) else code


@dataclass
class Position:
    """The position of a training: what a resumed one needs beside weights and optimisers.

    Attributes:
        epoch: the current one, from 1.
        step: steps of this epoch that are done.
        sums: of the loss terms over the images of this epoch.
        counts: number of images in each of the sums.
        history: a row per finished epoch.
    """

    epoch: int = 1
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def state_dict(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over all fields."""
        vars(self).update(vars(Position(**state)))


class Training:
    """A training in progress.

    Attributes:
        model: as the run describes it.
        at: the position.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: BaseRun,
        store: Store,
        resume: Path,
        partners: PartnerSource | None = None,
        model: Model | None = None,
        selection: Selection | None = None,
    ) -> None:
        self.fabric, self.run, self.store, self.partners = fabric, run, store, partners
        self.selection = selection or _whole(store)
        self.rows, self.valid_rows = self.selection.train, self.selection.valid
        self.labels = torch.from_numpy(store.labels())
        attributes = self.selection.attributes
        self.attributes = None if attributes is None else torch.from_numpy(attributes)
        self.model = _model_of(run, store) if model is None else model
        self._check_labels()
        if run.mean_start:
            self.model.start_from(mean_image(store, self.rows))
        for module in self.model.modules():
            if isinstance(module, Decorrelation):
                module.fit(*channel_statistics(store, self.rows))
        self.model.to(memory_format=torch.channels_last)
        self.phases = self.model.phases()
        self._check_epochs()
        self.moving = {name: _weights(self.model, phase) for name, phase in self.phases.items()}
        self.optimizers = {name: self._adam(name, one) for name, one in self.phases.items()}
        self.module, *_ = fabric.setup(self.model, *self.optimizers.values())
        self.at = Position()
        parts: dict[str, Stateful] = {f"memory {key}": x for key, x in self.model.memory().items()}
        parts |= {f"optimizer {name}": one for name, one in self.optimizers.items()}
        self.resume = ResumeFile(
            resume,
            self._fingerprint(),
            {"model": self.model, "position": self.at, **parts},
            fabric,
        )
        self.saved = time.monotonic()
        if self.resume.restore() and fabric.is_global_zero:
            say(f"resuming at epoch {self.at.epoch}, step {self.at.step} from {resume}")

    def _check_labels(self) -> None:
        try:
            self.model.check_labels(self.labels[torch.from_numpy(self.rows)])
        except ValueError as error:
            raise UserError(
                f"run {self.run.name}: model {self.run.model} {error} "
                f"({len(self.rows)} training images of {self.store.path}); choose another source "
                f"for data set {self.store.name}, or another model for the run"
            ) from None

    def _check_epochs(self) -> None:
        """Raise UserError if the training is too short for one of its phases."""
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
        betas = phase.betas or (0.9, RECIPES[self.run.recipe].beta2)
        return torch.optim.Adam(
            self.moving[name],
            self.run.train.learning_rate,
            betas,
            weight_decay=phase.weight_decay,
            fused=fused,
        )

    def _fingerprint(self) -> str:
        """Of parameters, data, code and hardware."""
        parameters = self.run.model_dump(mode="json")
        del parameters["train"]["checkpoint_seconds"]
        partners = "" if self.partners is None else self.partners.digest
        code = code_digest(self.run)
        digests = self.store.digest, partners, self.selection.digest
        return fingerprint(self.fabric, parameters, *digests, code)

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return math.ceil(len(self.rows) / self.run.train.batch_size)

    def finish(self) -> None:
        """Continue from the current position to the end of the training."""
        total = self.run.epochs * len(self.rows)
        done = (self.at.epoch - 1) * len(self.rows) + self.at.step * self.run.train.batch_size
        with Progress(
            f"train {self.run.name}",
            total,
            "images",
            start=min(done, total),
            quiet=not self.fabric.is_global_zero,
        ) as progress:
            while self.at.epoch <= self.run.epochs and not self._ends_early():
                self.run_epoch(progress)

    def run_epoch(self, progress: Progress) -> None:
        """Take the remaining steps of the epoch, validate, and save the state if it is time."""
        self.module.train()
        seed, epoch, size = self.run.seed, self.at.epoch, self.run.train.batch_size
        order = np.random.default_rng([seed, epoch]).permutation(self.rows)
        sums = LossSums(self.fabric, self.at.sums, self.at.counts)
        # On a single CPU process reading the losses costs nothing: it stops in the very step.
        local = self.fabric.device.type == "cpu" and self.fabric.world_size == 1
        every = 1 if local else CHECK_EVERY
        for step in range(self.at.step, self.steps):
            rows = order[step * size : (step + 1) * size]
            self.take_step(rows, sums)
            progress.advance(len(rows))
            self.at.step = step + 1
            if self.at.step % every == 0:
                self._check_finite(sums.totals())
            if self.at.step % CHECK_EVERY == 0:
                self._report(sums, progress)
        self._report(sums, progress)
        self.close_epoch(sums.means())
        self._save_if_due()

    def take_step(self, rows: Rows, sums: LossSums) -> None:
        """Update the weights of every active phase on the global batch `rows`."""
        place = (self.run.seed, "train", self.at.epoch, self.at.step)
        noise = normal(len(rows), self.model.noise_dim, *place)
        batch = self.new_batch(rows, noise, self.partner_generator(*place))
        # DDP averages the gradients of its processes; the mean is over the images of all.
        scale = self.fabric.world_size / len(rows)
        number = (self.at.epoch - 1) * self.steps + self.at.step
        for name, phase in self._active_phases(self.at.epoch).items():
            optimizer = self.optimizers[name]
            if not phase.is_due(number):
                continue
            for group in optimizer.param_groups:
                group["lr"] = self.rate(phase) * phase.rate(number)
            self._freeze_all_but(name)
            if self.model.random:
                torch.manual_seed(seed_for(*place, name, self.fabric.global_rank))
            for _ in range(phase.repeat):
                losses = self.losses(batch, name)
                optimizer.zero_grad(set_to_none=True)
                self.fabric.backward(losses[phase.loss].sum() * scale)
                optimizer.step()
            if self.model.watched:
                losses |= {f"{name}_gradient": self._gradient(name).expand(len(batch.images))}
            sums.add(losses, len(rows))
        self.model.end_step()

    def _gradient(self, name: str) -> Tensor:
        """The norm of the last gradient of a phase."""
        gradients = [weight.grad for weight in self.moving[name] if weight.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    def rate(self, phase: Phase) -> float:
        """The learning rate of the next step, by the share of the phase's steps that are done."""
        epochs = self.run.epochs
        active = [epoch for epoch in range(1, epochs + 1) if phase.acts(epoch, epochs)]
        step = (self.at.epoch - active[0]) * self.steps + self.at.step + 0.5
        done = min(step / (len(active) * self.steps), 1.0)  # after the last step it is above 1
        return learning_rate(self.run, self.at.epoch, done) * phase.decay(done)

    def _active_phases(self, epoch: int) -> dict[str, Phase]:
        epochs = self.run.epochs
        return {name: phase for name, phase in self.phases.items() if phase.acts(epoch, epochs)}

    def _freeze_all_but(self, name: str) -> None:
        """Compute no gradients for weights that another phase moves."""
        if len(self.phases) == 1:
            return
        self.model.requires_grad_(False)
        for weight in self.moving[name]:
            weight.requires_grad_(True)

    def losses(self, batch: Batch, phase: str) -> dict[str, Tensor]:
        """The loss terms of a phase; a single process saves the time of Fabric's wrappers."""
        if self.fabric.world_size > 1:
            losses: dict[str, Tensor] = self.module(batch, phase)
            return losses
        with self.fabric.autocast():
            return self.model(batch, phase)

    def partner_generator(self, *place: int | str) -> np.random.Generator | None:
        """The generator that draws the partner images at `place`; None without partners."""
        if self.partners is None:
            return None
        return np.random.default_rng(seed_for("company", *place))

    def new_batch(self, rows: Rows, noise: Tensor, random: np.random.Generator | None) -> Batch:
        """This process's share of the global batch `rows`, see `partner_generator`."""
        mine = slice(self.fabric.global_rank, None, self.fabric.world_size)
        pixels = torch.from_numpy(self.store.images[rows[mine]])
        labels = self.labels[torch.from_numpy(rows[mine])]
        pixels, noise, labels = self._on_device(pixels, noise[mine], labels)
        progress = (self.at.epoch - 1 + self.at.step / self.steps) / self.run.epochs
        batch = Batch(to_images(pixels), noise, labels, min(progress, 1.0))
        if self.attributes is not None:
            (own,) = self._on_device(self.attributes[torch.from_numpy(rows[mine])])
            batch = batch._replace(attributes=own)
        if self.partners is None or random is None:
            return batch
        others, distances = self.partners.draw(rows, random)
        source = self.store.images if self.partners.images is None else self.partners.images
        pixels, near = self._on_device(
            torch.from_numpy(source[others[mine]]), torch.from_numpy(distances[mine])
        )
        images = to_images(pixels.flatten(0, 1)).view(*near.shape, *batch.images.shape[1:])
        batch = batch._replace(others=images, distances=near)
        if self.attributes is None or self.partners.images is not None:
            return batch
        (targets,) = self._on_device(self.attributes[torch.from_numpy(others[mine, 0])])
        return batch._replace(targets=targets)

    def _on_device(self, *tensors: Tensor) -> list[Tensor]:
        """As Fabric's `to_device`, whose search through nested collections takes longer."""
        return [tensor.to(self.fabric.device) for tensor in tensors]

    def _report(self, sums: LossSums, progress: Progress) -> None:
        """Stop at a loss that is not finite; else show the losses, and save if it is time."""
        totals = sums.totals()
        self._check_finite(totals)
        progress.note(
            f"epoch {self.at.epoch}/{self.run.epochs} "
            + " ".join(f"{name} {value:.{_digits(value)}f}" for name, value in sums.means().items())
        )
        self.at.sums, self.at.counts = totals, dict(sums.counts)
        if self.at.step < self.steps:
            self._save_if_due()

    def _check_finite(self, values: Mapping[str, float]) -> None:
        """Raise UserError if a value is not finite."""
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if not wrong:
            return
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        path = self.resume.path
        kept = f"; the last state before it is kept in {path}" if path.exists() else ""
        raise UserError(
            f"run {self.run.name}: non-finite loss at epoch {self.at.epoch}, step {self.at.step} "
            f"({wrong[0]}{more}){kept}; lower the learning rate "
            f"(found {self.run.train.learning_rate:g})"
        )

    def close_epoch(self, train: Mapping[str, float]) -> None:
        """Validate, add a row to the history, and move on to the next epoch.

        Args:
            train: mean of each loss term over the training images.
        """
        row: dict[str, float] = {
            "epoch": self.at.epoch,
            "learning_rate": self.rate(next(iter(self._active_phases(self.at.epoch).values()))),
        }
        row |= {f"train_{name}": value for name, value in train.items()}
        valid = self.validate()
        self._check_finite({f"validation {name}": value for name, value in valid.items()})
        row |= {f"valid_{name}": value for name, value in valid.items()}
        self.at.history.append(row)
        self.at.epoch, self.at.step, self.at.sums, self.at.counts = self.at.epoch + 1, 0, {}, {}

    def validate(self) -> dict[str, float]:
        """Mean losses over the valid split, with the same noise in every epoch."""
        self.module.eval()
        rows, size = self.valid_rows, VALIDATION_BATCH
        if self.model.compares:  # as in training: batches of its size, and of all classes
            order = np.random.default_rng(seed_for(self.run.seed, "valid order"))
            rows, size = order.permutation(rows), self.run.train.batch_size
        noise = normal(len(rows), self.model.noise_dim, self.run.seed, "valid")
        random = self.partner_generator(self.run.seed, "valid")
        sums = LossSums(self.fabric)
        with torch.no_grad():
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                batch = self.new_batch(rows[part], noise[part], random)
                if self.model.random:
                    torch.manual_seed(seed_for(self.run.seed, "valid", start))
                for name in self._active_phases(self.at.epoch):
                    sums.add(self.losses(batch, name), len(rows[part]))
        return sums.means()

    def _ends_early(self) -> bool:
        reason = self.model.collapse(self.at.history[-1]) if self.at.history else ""
        if reason and self.fabric.is_global_zero:
            say(f"run {self.run.name}: stopped after epoch {self.at.epoch - 1}: {reason}")
        return bool(reason) or self._out_of_patience()

    def _out_of_patience(self) -> bool:
        patience = self.run.train.patience
        if patience is None:
            return False
        # Losses of different phases do not compare: only those of the last phases may end it.
        last = self._active_phases(self.run.epochs)
        losses = [
            row["valid_loss"]
            for row in self.at.history
            if self._active_phases(int(row["epoch"])) == last
        ]
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
        self._check_finite({f"weights {name}": float(one.sum()) for name, one in weights.items()})
        self.resume.save()


class LossSums:
    """Running sums of loss terms over images, in float64, kept on the device.

    Args:
        fabric: the device and the processes.
        start: sums of a resumed epoch; the additions continue in the same order.
        counts: number of images in these sums.

    Attributes:
        counts: number of images of all processes in each sum.
    """

    def __init__(
        self,
        fabric: Fabric,
        start: Mapping[str, float] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self._fabric = fabric
        self.counts = dict(counts or {})
        # MPS has no float64; its sums stay in float32.
        self._wide = torch.float32 if fabric.device.type == "mps" else torch.float64
        self._sums = {
            name: torch.tensor(
                total if fabric.is_global_zero else 0.0, dtype=self._wide, device=fabric.device
            )
            for name, total in (start or {}).items()
        }

    def add(self, losses: Mapping[str, Tensor], images: int) -> None:
        """Add the values of each term, of this process, for a batch of `images` in all."""
        for name, values in losses.items():
            total = values.detach().sum(dtype=self._wide)
            self._sums[name] = self._sums[name] + total if name in self._sums else total
            self.counts[name] = self.counts.get(name, 0) + images

    def totals(self) -> dict[str, float]:
        """Sums over all images and processes so far."""
        if not self._sums:
            return {}
        stacked = torch.stack(list(self._sums.values()))
        if self._fabric.world_size > 1:
            torch.distributed.all_reduce(stacked)
        return dict(zip(self._sums, stacked.tolist(), strict=True))

    def means(self) -> dict[str, float]:
        """Means over the images so far, in all processes."""
        return {name: total / self.counts[name] for name, total in self.totals().items()}


def _digits(value: float) -> int:
    """Decimal places for the display of a loss."""
    return 1 if abs(value) >= 10 else 3


def _whole(store: Store) -> Selection:
    """All images of the store."""
    return Selection(_rows_of(store, "train"), _rows_of(store, "valid"), None, "", {})


def _rows_of(store: Store, split: str) -> Rows:
    """The images of a split; raises UserError if there are none."""
    rows = store.rows(split)
    if len(rows) == 0:
        raise UserError(
            f"{store.path}: no image in the {split} split; change valid_share of data set "
            f"{store.name}, or add images"
        )
    return rows


def _weights(model: Model, phase: Phase) -> list[torch.nn.Parameter]:
    """The weights that move in `phase`."""
    parts = [model.get_submodule(name) for name in phase.parts] or [model]
    return [weight for part in parts for weight in part.parameters()]
