"""`stages.train`: models that mix scenes train with the neighbours of their store."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from latent_atlas.config import reading
from latent_atlas.data.neighbour_table import neighbours_folder, write_neighbours
from latent_atlas.data.store import Store
from latent_atlas.training.checkpoint import open_run
from latent_atlas.util.console import UserError
from stages import train as stage
from tests.conftest import ROOT

OPTIONS = {"width": 0.06, "depth": 0.125}


@pytest.fixture
def folder(
    tmp_path: Path, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working directory with a store ``scenes``, its neighbours, and a small mixing run."""
    store = make_store(name="scenes", count=40)
    random = np.random.default_rng(0)
    others = [random.permutation(np.delete(np.arange(40), row))[:10] for row in range(40)]
    ids = np.repeat(np.array(others, np.int32)[:, None], 4, axis=1)
    distances = np.sort(random.random((40, 4, 10), np.float32), axis=2)
    card = {"store": {"name": "scenes", "digest": store.digest}}
    write_neighbours(tmp_path / neighbours_folder("scenes"), ids, distances, card)
    values = reading.read(ROOT / "params.yaml")
    values["data"]["scenes"] |= {"height": 32, "width": 32}
    values["runs"]["scenes"]["scenes_mixing"] |= {
        "latent_dim": 32,
        "epochs": {"sample": 2, "full": 2},
        "options": OPTIONS,
    }
    values["train"]["accelerator"] = "cpu"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", "scenes_mixing"])
    return tmp_path


def test_a_mixing_run_trains_with_the_neighbours_and_repeats_to_the_bit(folder: Path) -> None:
    stage.main()
    history = pd.read_csv(folder / "models/scenes_mixing/history.csv")
    assert {"valid_loss", "valid_cycle", "train_origin_accuracy", "train_fake"} <= set(history)
    assert history["valid_reconstruction"].iloc[-1] < history["valid_reconstruction"].iloc[0]
    first = load_file(folder / "models/scenes_mixing/weights.safetensors")
    assert any(name.endswith("_u") for name in first)  # spectral norms
    assert any(name.endswith("running_mean") for name in first)
    trained = open_run(folder / "models/scenes_mixing")
    assert trained.encode(np.zeros((3, 32, 32, 3), np.uint8)).shape == (3, 32)
    shutil.rmtree(folder / "models")
    stage.main()
    second = load_file(folder / "models/scenes_mixing/weights.safetensors")
    assert all(bool((first[name] == second[name]).all()) for name in first)


def test_neighbours_of_other_images_are_refused(folder: Path) -> None:
    path = folder / neighbours_folder("scenes") / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "store": {"name": "scenes", "digest": "0" * 64}}))
    with pytest.raises(UserError, match="neighbours of other images"):
        stage.main()


def test_missing_neighbours_are_an_error_with_the_next_step(folder: Path) -> None:
    shutil.rmtree(folder / neighbours_folder("scenes"))
    with pytest.raises(UserError, match=r"python -m stages\.neighbours"):
        stage.main()
