"""Trained runs to plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store
from latent_atlas.training import loop
from latent_atlas.training.checkpoint import TrainedRun, open_run


@pytest.fixture
def train(tmp_path: Path) -> Callable[[Run, Store], TrainedRun]:
    """Train a run and open its checkpoint."""

    def train(run: Run, store: Store) -> TrainedRun:
        loop.train(run, store, tmp_path / "model", tmp_path / "state.pt")
        return open_run(tmp_path / "model")

    return train
