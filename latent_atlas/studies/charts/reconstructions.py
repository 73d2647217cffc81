"""Reconstructions of validation images at each latent size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_atlas.plots.grid import enlargement, sample_rows, save_grid
from latent_atlas.studies.charts.selection import runs_by_latent_size
from latent_atlas.studies.results import PICTURES, Outcome


def draw_reconstructions(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_reconstructions.png``: an image per class and its reconstructions."""
    for data, runs in runs_by_latent_size(outcome).items():
        store = outcome.stores[data]
        valid, labels = store.rows("valid"), store.labels()[store.rows("valid")]
        classes = [number for number in range(len(store.classes)) if (labels == number).any()]
        if not classes:
            continue
        seed = outcome.study.seed
        rows = [sample_rows(valid[labels == number], 1, seed)[0] for number in classes]
        images = store.images[np.asarray(rows)]
        parts = [images, *(run.decode(run.encode(images)) for run in runs)]
        first = runs[0].run
        save_grid(
            folder / PICTURES / f"{data}_reconstructions.png",
            np.stack(parts, axis=1).reshape(-1, *store.shape),
            columns=len(parts),
            title=f"A validation image of each class and its reconstruction at each latent size · "
            f"{first.model} ({first.network}, {first.likelihood}), β {first.beta:g}, seed "
            f"{first.seed} · {outcome.size(data)} · {store.card['source']}",
            column_labels=["input", *(f"{run.run.latent_dim}" for run in runs)],
            row_labels=[store.classes[number] for number in classes],
            enlarge=enlargement(*store.shape[:2], target=64),
        )
