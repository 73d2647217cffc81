"""Pictures of reconstructions: pairs of validation images, and images of each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_atlas.data.store import Images, Store
from latent_atlas.plots.grid import MAX_ROWS, enlargement, sample_rows, save_grid
from latent_atlas.training.checkpoint import TrainedRun


def plot_reconstructions(trained: TrainedRun, store: Store, pairs: int, path: Path) -> None:
    """A row per pair: two images, their reconstructions, and the decoded mean of their codes."""
    rows = sample_rows(store.rows("valid"), 2 * pairs, trained.run.seed)
    first, second = store.images[rows[0::2]], store.images[rows[1::2]]
    a, b = trained.encode(first), trained.encode(second)
    middle = (a + b) / np.float32(2)
    parts = [first, second, trained.decode(a), trained.decode(b), trained.decode(middle)]
    save_grid(
        path,
        _interleaved(parts),
        columns=5,
        title=f"Reconstructions and the decoded mean of two codes · {trained.title()}",
        column_labels=["input A", "input B", "output A", "output B", "mean code"],
        enlarge=enlargement(*store.shape[:2]),
    )


def plot_class_reconstructions(
    trained: TrainedRun, store: Store, examples: int, path: Path
) -> None:
    """A row per class: validation images, each beside its reconstruction.

    At most `MAX_ROWS` classes are shown, the largest.
    """
    valid, labels = store.rows("valid"), store.labels()
    sizes = np.bincount(labels[valid][labels[valid] >= 0], minlength=len(store.classes))
    count = np.count_nonzero(sizes)
    shown = np.sort(np.argsort(-sizes, kind="stable")[: min(MAX_ROWS, count)])
    parts, names = [], []
    for number in shown:
        rows = sample_rows(valid[labels[valid] == number], examples, trained.run.seed)
        images = store.images[rows]
        parts.append(_interleaved([images, trained.decode(trained.encode(images))]))
        names.append(store.classes[number])
    if not parts:
        return
    classes = "Each class"
    if len(shown) < count:
        classes = f"The {len(shown)} largest of {count} classes"
    save_grid(
        path,
        np.concatenate(parts),
        columns=2 * examples,
        title=f"{classes}: input, output, … · {trained.title()}",
        column_labels=["input", "output"] * examples,
        row_labels=names,
        enlarge=enlargement(*store.shape[:2]),
    )


def _interleaved(parts: list[Images]) -> Images:
    """The first image of each of the equally long parts, then the second of each, …"""
    return np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])
