"""All pictures of a trained run.

Every picture shows validation images or decoded codes with fixed seeds. Its title names the run,
data source and parameters.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from latent_atlas.config.schema import Evaluate
from latent_atlas.data.store import Store
from latent_atlas.plots.latent_plane import plot_mesh, plot_scatter
from latent_atlas.plots.losses import plot_losses
from latent_atlas.plots.reconstructions import plot_class_reconstructions, plot_reconstructions
from latent_atlas.plots.samples import plot_samples
from latent_atlas.plots.traversal import plot_traversals
from latent_atlas.training.checkpoint import TrainedRun


def plot_trained_run(
    trained: TrainedRun, store: Store, latents: pd.DataFrame, settings: Evaluate, out: Path
) -> None:
    """Write every picture that the run allows into the folder `out`.

    Args:
        trained: the opened run.
        store: the images that it was trained on.
        latents: a row per latent, from `latent_atlas.metrics.reconstruction.latent_activity`.
        settings: numbers of rows and columns, and the range of traversals.
        out: a folder; one PNG per picture.
    """
    limit = settings.traversal
    plot_reconstructions(trained, store, settings.examples, out / "strip.png")
    plot_samples(trained, settings.samples, out / "samples.png")
    plot_traversals(trained, store, latents, limit, settings.steps, out)
    plot_losses(trained, out / "losses.png")
    if store.classes:
        plot_class_reconstructions(trained, store, settings.examples, out / "classes.png")
    if trained.run.latent_dim == 2:
        plot_mesh(trained, store, settings.mesh, limit, out / "mesh.png")
        plot_scatter(trained, store, settings.scatter, out / "scatter.png")
