"""Picture of decoded random codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent_atlas.plots.grid import enlargement, save_grid
from latent_atlas.training.checkpoint import TrainedRun


def plot_samples(trained: TrainedRun, samples: int, path: Path) -> None:
    """decoder(0) first, then `samples` decoded random codes from N(0, I)."""
    dim = trained.run.latent_dim
    random = np.random.default_rng([trained.run.seed, 1])
    codes = np.zeros((samples + 1, dim), dtype=np.float32)
    codes[1:] = random.standard_normal((samples, dim))
    height, width, _ = trained.config["shape"]
    save_grid(
        path,
        trained.decode(codes),
        columns=8,
        title=f"decoder(0), top left, and random samples from N(0, I) · {trained.title()}",
        enlarge=enlargement(height, width),
    )
