"""`python -m benchmarks.thresholds`: does the default run show what the models learn?

Measures the trained runs of the workspace (`dvc repro`) against thresholds: shares of explained
loss, digits that a classifier of real digits still reads after reconstruction, and garments whose
mean colour survives it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from benchmarks.results import Result, Target, table
from latent_atlas.data.store import Images, Store, open_store
from latent_atlas.metrics.explained import explained_share
from latent_atlas.training.checkpoint import TrainedRun, open_run
from latent_atlas.util.console import run_command

LEVELS = 40
"""Largest difference of a colour that counts as right, of 255."""

_GROUND = 30  # a pixel that differs by more levels from the background belongs to the garment
_LEAST_PIXELS = 50


def measure(models: Path, data: Path) -> Iterator[Result]:
    """Yield a result for each threshold."""
    for name, least in (("circles_rgb_beta_vae", 0.6), ("clothes_beta_vae", 0.5)):
        trained, store = _open(models / name, data)
        value = explained_share(trained, store)["explained"]
        yield Result(f"{name}: explained", "", [value], Target("at least", least))
    trained, store = _open(models / "digits_vae", data)
    share = digits_read(trained, store)
    yield Result("digits_vae: digits read", "", [share], Target("at least", 0.85))
    trained, store = _open(models / "clothes_beta_vae", data)
    images = np.array(store.images[store.rows("valid")])
    offsets = colour_differences(images, trained.decode(trained.encode(images)))
    close = np.sqrt((offsets**2).mean(1)) <= LEVELS
    every = (np.abs(offsets) <= LEVELS).all(1)
    note = (
        f"root mean square over channels within {LEVELS} levels; every channel: {every.mean():.2f}"
    )
    target = Target("at least", 0.8)
    yield Result("clothes_beta_vae: mean colour right", "", [float(close.mean())], target, note)


def digits_read(trained: TrainedRun, store: Store) -> float:
    """Share of validation digits whose reconstruction a support vector machine reads right.

    The machine is trained on the training images.
    """
    train, valid, labels = store.rows("train"), store.rows("valid"), store.labels()
    reader = SVC().fit(_flat(store.images[train]), labels[train])
    reconstructed = trained.decode(trained.encode(np.array(store.images[valid])))
    return float(reader.score(_flat(reconstructed), labels[valid]))


def colour_differences(images: Images, outputs: Images) -> npt.NDArray[np.float64]:
    """Mean colour of each object less that of its reconstruction: M×3 levels.

    The object is what differs from the median colour of the first and last row. Images with hardly
    any such pixels are left out.
    """
    wide, others = images.astype(np.int64), outputs.astype(np.int64)
    borders = np.concatenate([wide[:, 0], wide[:, -1]], axis=1)
    ground = np.median(borders, axis=1)[:, None, None]
    inside = np.abs(wide - ground).max(3) > _GROUND
    return np.stack(
        [
            image[mask].mean(0) - other[mask].mean(0)
            for image, other, mask in zip(wide, others, inside, strict=True)
            if mask.sum() >= _LEAST_PIXELS
        ]
    )


def _open(folder: Path, data: Path) -> tuple[TrainedRun, Store]:
    trained = open_run(folder)
    store = open_store(data / trained.run.data)
    trained.check(store)
    return trained, store


def _flat(images: Images) -> npt.NDArray[np.float64]:
    return images.reshape(len(images), -1) / 255


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.thresholds", description=__doc__
    ).parse_args()
    print(table(list(measure(Path("models"), Path("data")))))


if __name__ == "__main__":
    run_command(main)
