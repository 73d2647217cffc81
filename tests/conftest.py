"""Fixtures of several tests: small stores, small runs, and a copy of the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import settings

from latent_atlas.config import reading
from latent_atlas.config.runs import Run
from latent_atlas.data.store import Store, StoreWriter, open_store, split_of
from latent_atlas.training import loop

ROOT = Path(__file__).resolve().parent.parent

# A busy machine is no fault. In CI hypothesis goes by a profile of its own, without a deadline too.
if settings().deadline is not None:
    settings.register_profile("desk", deadline=None)
    settings.load_profile("desk")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests: one of them at the end would leave the other cores idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _same_draws(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test draws the same numbers, whichever tests ran before it in the process."""
    torch.manual_seed(0)
    if hasattr(request.module, "RANDOM"):
        monkeypatch.setattr(request.module, "RANDOM", np.random.default_rng(0))


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Store]:
    """A function that makes a store of smooth blobs on black."""

    def make(
        count: int = 60,
        height: int = 32,
        width: int = 32,
        channels: int = 3,
        classes: int = 2,
        name: str = "blobs",
    ) -> Store:
        random = np.random.default_rng(0)
        x, y, r = random.uniform(8, 24, count), random.uniform(8, 24, count), 5.0
        rows, columns = np.mgrid[0:height, 0:width]
        distance = np.hypot(rows[None] - y[:, None, None], columns[None] - x[:, None, None])
        grey = (255 / (1 + np.exp(distance - r))).astype(np.uint8)
        images = np.repeat(grey[..., None], channels, axis=3)
        hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        labels = [f"class{i % classes}" if classes else None for i in range(count)]
        index = pd.DataFrame(
            {
                "id": [digest[:16] for digest in hashes],
                "split": [split_of(digest, 0.25) for digest in hashes],
                "label": labels,
                "origin": [f"blob#{i}" for i in range(count)],
                "sha256": hashes,
                "x": x,
                "y": y,
            }
        )
        with StoreWriter(tmp_path / "data" / name, height, width, channels) as writer:
            writer.append(images, index)
            writer.finish(name=name, source="test", licence="CC0-1.0", factors=["x", "y"])
        return open_store(tmp_path / "data" / name)

    return make


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A function that makes a small run; keywords change it, `train=` a part of its training."""

    def make(train: dict[str, object] | None = None, **changes: object) -> Run:
        base = reading.load(ROOT / "params.yaml").run("circles_beta_vae").model_dump(mode="json")
        base |= {"data": "blobs", "latent_dim": 3, "epochs": 3, "beta": 2.0}
        base["recipe"] = "published"
        base["train"] |= {"batch_size": 16, "learning_rate": 0.001, "accelerator": "cpu"}
        base["train"] |= train or {}
        return Run.model_validate(base | changes)

    return make


@pytest.fixture
def train_dense(
    make_run: Callable[..., Run], make_store: Callable[..., Store], tmp_path: Path
) -> Callable[[str], None]:
    """``train_dense("models/x")``: a narrow dense autoencoder of blobs, trained for an epoch."""

    def make(folder: str) -> None:
        run = make_run(
            model="dense_ae",
            network="dense",
            likelihood="laplace",
            latent_dim=32,
            loss_weights={"mixing_reconstruction": 1.0},
            options={"width": 0.06, "depth": 0.125},
            epochs=1,
        )
        loop.train(run, make_store(), tmp_path / folder, tmp_path / "resume.pt")

    return make


@pytest.fixture
def copied_repository(tmp_path: Path) -> Path:
    """A repository of its own with the files of this one, committed, on the small overlay."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    folder = tmp_path / "repository"
    for name in filter(None, listed.stdout.split("\0")):
        recorded = name.startswith("metrics/") or name.endswith(("dvc.lock", "noise.csv"))
        if (ROOT / name).is_file() and not recorded:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    overlay = reading.read(ROOT / ".ci" / "params.yaml")
    values = reading.merge(reading.read(ROOT / "params.yaml"), overlay)
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    run_in(folder, "git", "init", "--quiet")
    run_in(folder, "git", "add", "--all")
    run_in(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "copy")
    return folder


def run_in(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` with this environment's binaries first."""
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": binaries},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture
def shared() -> Path:
    """The folder of real images beside the repository, where there is one."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the real images in ../shared")
    return folder
