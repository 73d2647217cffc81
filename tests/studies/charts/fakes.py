"""Runs and stores without training, for tests of charts."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from latent_atlas.data.store import Store
from latent_atlas.training.checkpoint import TrainedRun

Maker = Callable[..., Store]


def fake_run(latent_dim: int, decode: Callable[[Any], Any]) -> TrainedRun:
    """A run whose codes are the images themselves, with the decoder `decode`."""
    run = SimpleNamespace(latent_dim=latent_dim, seed=0, model="vae", network="conv", beta=1.0)
    run.likelihood, run.title = "bernoulli", lambda: f"run of {latent_dim}"
    return cast(
        TrainedRun,
        SimpleNamespace(run=run, batch_size=7, encode=lambda images: images, decode=decode),
    )


def halves(make_store: Maker, count: int = 200) -> Store:
    """Images of two classes, in which the left or the right half is bright, with noise."""
    store = make_store(count=count, height=8, width=8, channels=1)
    random = np.random.default_rng(1)
    images = random.integers(0, 40, store.images.shape, dtype=np.uint8)
    for number, label in enumerate(store.labels()):
        images[number, :, 4 * label : 4 * label + 4] += 200
    split = np.where(np.arange(count) % 8 < 6, "train", "valid")
    return Store(store.path, images, store.index.assign(split=split), store.card)
