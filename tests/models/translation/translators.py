"""Small models, batches, runs and gradients for the tests of translation models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from latent_atlas.config.registry import TRANSLATORS, resolve
from latent_atlas.config.section import Options
from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.store import Store, open_store
from latent_atlas.models.base import Batch, Model, Shape
from latent_atlas.models.translation.base import TranslatorConfig
from latent_atlas.training import loop
from latent_atlas.training.loop import LossSums, Training
from latent_atlas.training.translation import build_translator, samples_of

NARROW = 0.06
SIZES = {"task": (2,), "attributes": (2, 3), "pairs": (), None: ()}
NEEDS: dict[str | None, dict[str, Any]] = {
    "task": {"task": {"from": {"label": "class0"}, "to": {"label": "class1"}}},
    "attributes": {"attributes": ["label"]},
    "pairs": {"pairs": {"input": "edges"}},
    None: {},
}


def options_for(name: str, **values: object) -> Options:
    schema: type[Options] = resolve(f"options.{TRANSLATORS[name].options}")
    return schema.model_validate({"width": NARROW, **values})


def small(name: str, shape: Shape = (32, 32, 3), reverse: bool = False, **options: object) -> Any:
    """An untrained narrow model."""
    torch.manual_seed(0)
    sizes = SIZES[TRANSLATORS[name].needs]
    config = TranslatorConfig(shape, sizes, reverse, options_for(name, **options))
    return resolve(TRANSLATORS[name].place)(config)


def sample(model: Model, images: int = 4, shape: Shape = (32, 32, 3)) -> Batch:
    """A batch of random images with partners and the attributes of `SIZES`."""
    generator = torch.Generator().manual_seed(1)
    height, width, channels = shape
    size = (channels, height, width)
    return Batch(
        torch.rand(images, *size, generator=generator),
        torch.randn(images, model.noise_dim, generator=generator),
        torch.arange(images) % 2,
        others=torch.rand(images, 1, *size, generator=generator),
        distances=torch.zeros(images, 1),
        attributes=torch.stack([torch.arange(images) % 2, torch.arange(images) % 3], 1),
        targets=torch.stack([torch.arange(images) % 2, torch.arange(images) % 3], 1),
    )


def reached(model: Model, batch: Batch, phase: str) -> set[str]:
    """The parts whose weights have a gradient of the loss of `phase`."""
    model.zero_grad(set_to_none=True)
    torch.manual_seed(2)
    model(batch, phase)[model.phases()[phase].loss].sum().backward()
    return {
        name.split(".")[0]
        for name, weight in model.named_parameters()
        if weight.grad is not None and weight.grad.abs().sum() > 0
    }


def run_of(
    name: str, train: dict[str, object] | None = None, epochs: int = 2, **options: object
) -> TranslationRun:
    """A run of a narrow model on the data set ``blobs`` of the fixture ``make_store``."""
    settings = {
        "epochs": epochs,
        "batch_size": 8,
        "learning_rate": TRANSLATORS[name].learning_rate,
        "schedule": {},
        "patience": None,
        "precision": "32-true",
        "accelerator": "cpu",
        "checkpoint_seconds": 0.0,
    }
    values = {
        "name": name,
        "family": "translation",
        "data": "blobs",
        "model": name,
        "recipe": "published",
        "seed": 0,
        "epochs": epochs,
        "train": settings | (train or {}),
        "options": {"width": NARROW, **options},
        **NEEDS[TRANSLATORS[name].needs],
    }
    return TranslationRun.model_validate(values)


def train(run: TranslationRun, store: Store, folder: Path) -> None:
    """Train `run`; the checkpoint is `folder`, the state of the training beside it."""
    found = samples_of(run, store, open_store)
    model = build_translator(run, store.shape, found.sizes, found.reverse)
    state = folder.with_suffix(".pt")
    loop.train(run, store, folder, state, found.partners, model, found.selection)


class KilledError(Exception):
    """The simulated end of a process."""


def kill_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make trainings save every step and end before step `steps`; the result undoes the latter."""
    monkeypatch.setattr(loop, "CHECK_EVERY", 1)
    taken, original = [0], Training.take_step

    def step(self: Training, rows: loop.Rows, sums: LossSums) -> None:
        if taken[0] == steps:
            raise KilledError
        taken[0] += 1
        original(self, rows, sums)

    monkeypatch.setattr(Training, "take_step", step)
    return lambda: monkeypatch.setattr(Training, "take_step", original)
