"""Checkpoints of trained runs: ``open_run(Path("models/clothes_beta_vae"))``.

A checkpoint is a folder with ``weights.safetensors``, ``config.json`` and ``history.csv`` (a row
per epoch). It does not name the machine, so that the same training gives the same bytes anywhere.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from latent_atlas.config.runs import BaseRun, Run
from latent_atlas.data.pixels import to_images, to_pixels
from latent_atlas.data.store import Images, Store
from latent_atlas.models.base import Autoencoder
from latent_atlas.models.build import new_model
from latent_atlas.util import arithmetic
from latent_atlas.util.console import UserError
from latent_atlas.util.files import write_bytes, write_folder, write_json

Codes = npt.NDArray[np.float32]

RunT = TypeVar("RunT", bound=BaseRun)

MODELS = Path("models")
"""The checkpoint folders of the pipeline, by the names of its runs."""


@dataclass(frozen=True)
class TrainedRun:
    """A checkpoint folder, opened on the CPU for evaluation.

    Attributes:
        run: the parameters of the training.
        model: in evaluation mode.
        config: all of ``config.json``.
        history: a row per epoch, losses as means over images.
        batch_size: images per batch; it changes no result.
    """

    run: Run
    model: Autoencoder
    config: dict[str, Any]
    history: pd.DataFrame
    batch_size: int

    def title(self) -> str:
        """Run, parameters and data source in one line, for every figure."""
        return f"{self.run.title()} · data {self.run.data} ({self.config['data']['source']})"

    def batches(self, images: Images) -> Iterator[Tensor]:
        """N×H×W×C pixels as float32 B×C×H×W batches in [0, 1]."""
        for start in range(0, len(images), self.batch_size):
            yield to_images(torch.from_numpy(np.array(images[start : start + self.batch_size])))

    @torch.no_grad()
    def encode(self, images: Images) -> Codes:
        """uint8 N×H×W×C to N×latent_dim codes (posterior means)."""
        parts = [self.model.encode(batch).numpy() for batch in self.batches(images)]
        return np.concatenate(parts) if parts else np.empty((0, self.run.latent_dim), np.float32)

    @torch.no_grad()
    def log_variance(self, images: Images) -> Codes | None:
        """uint8 N×H×W×C to N×latent_dim log-variances; None if the codes are points."""
        parts = [self.model.log_variance(batch) for batch in self.batches(images)]
        variances = [part.numpy() for part in parts if part is not None]
        return np.concatenate(variances) if variances else None

    @torch.no_grad()
    def decode(self, codes: Codes) -> Images:
        """N×latent_dim codes to uint8 N×H×W×C."""
        parts = [
            to_pixels(self.model.decode(torch.from_numpy(codes[start : start + self.batch_size])))
            for start in range(0, len(codes), self.batch_size)
        ]
        pixels: Images = torch.cat(parts).numpy()
        return pixels

    def check(self, store: Store) -> None:
        """Raise UserError unless `store` holds the images that the model was trained on."""
        check_images(self.run.name, self.config, store)


@dataclass(frozen=True)
class Checkpoint(Generic[RunT]):
    """The content of a checkpoint folder.

    Attributes:
        run: the parameters of the training.
        shape: height, width and channels of the images.
        weights: name → tensor.
        config: all of ``config.json``.
        history: a row per epoch.
    """

    run: RunT
    shape: tuple[int, int, int]
    weights: dict[str, Tensor]
    config: dict[str, Any]
    history: pd.DataFrame


def check_images(run: str, config: Mapping[str, Any], store: Store) -> None:
    """Raise UserError unless `store` holds the images that the run of `config` was trained on."""
    expected = config["data"]["digest"]
    if store.digest != expected:
        raise UserError(
            f"{store.path}: not the images that run {run} was trained on "
            f"(digest {store.digest[:8]}, expected {expected[:8]}); run `dvc repro`"
        )


def open_run(path: Path, batch_size: int = 200) -> TrainedRun:
    """Open the checkpoint folder `path`.

    Warns where this process does not compute as the pipeline does by default, e.g. in a notebook.

    Raises:
        UserError: if it is missing, damaged, or of another version of the code.
    """
    found = read_checkpoint(path, Run)
    try:
        model = new_model(found.run, found.shape)
        model.load_state_dict(found.weights)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path}: weights of another network ({error}); run `dvc repro`") from None
    warn_if_not_portable()
    return TrainedRun(found.run, model.eval(), found.config, found.history, batch_size)


def read_checkpoint(path: Path, schema: type[RunT]) -> Checkpoint[RunT]:
    """Read the checkpoint folder `path`, whose run has the given schema.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        run = schema.model_validate_json(json.dumps(config["run"]))
        height, width, channels = config["shape"]
        weights = load_file(path / "weights.safetensors")
        history = pd.read_csv(path / "history.csv")
    except (FileNotFoundError, NotADirectoryError) as error:
        file = error.filename or path / "weights.safetensors"  # safetensors names no file
        raise UserError(f"{file}: missing; train the run with `dvc repro`") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except (ValueError, KeyError, TypeError, ValidationError, SafetensorError) as error:
        raise UserError(
            f"{path}: damaged checkpoint ({error}); remove it and run `dvc repro`"
        ) from None
    return Checkpoint(run, (height, width, channels), weights, config, history)


def warn_if_not_portable() -> None:
    """Warn where this process does not compute as the pipeline does by default."""
    problem = arithmetic.not_portable()
    if problem is not None and os.environ.get(arithmetic.VARIABLE) != "native":
        warnings.warn(
            "this process does not compute in portable arithmetic, so that results can differ from "
            f"those of the pipeline in their last digits ({problem}); call "
            "latent_atlas.util.arithmetic.set_up('portable', 1) before NumPy and PyTorch load",
            stacklevel=3,
        )


def open_runs(
    names: Sequence[str],
    store: Store,
    where: str,
    opener: Callable[[Path], TrainedRun] = open_run,
) -> list[TrainedRun]:
    """Open runs that were trained on `store`, in the order of `names`.

    Args:
        names: of the runs on this data set.
        store: its images.
        where: the setting that the names come from, for the error.
        opener: opens a checkpoint folder, and may check more than `open_run`.

    Raises:
        UserError: if there are no names, or a run cannot be opened, or was trained on other images.
    """
    if not names:
        raise UserError(f"{where}: no run on data {store.name!r}; add one")
    runs = [opener(MODELS / name) for name in names]
    for run in runs:
        run.check(store)
    return runs


def weights_of(module: nn.Module) -> bytes:
    """The state of `module` as the content of a safetensors file."""
    state = module.state_dict()
    return save({name: one.detach().cpu().contiguous() for name, one in state.items()})


def write_checkpoint(
    out: Path,
    weights: bytes,
    history: Sequence[Mapping[str, float]],
    config: Mapping[str, Any],
) -> None:
    """Write the checkpoint folder `out`, whole or not at all.

    Args:
        out: replaced where it exists.
        weights: from `weights_of`.
        history: a row per epoch.
        config: becomes ``config.json``.
    """
    with write_folder(out) as part:
        write_bytes(part / "weights.safetensors", weights)
        table = pd.DataFrame(history)
        table.to_csv(part / "history.csv", index=False, float_format="%.6g")
        write_json(part / "config.json", config)
