"""The latent plane of the models of a study with two latents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from latent_atlas.plots.latent_plane import plot_mesh, plot_scatter
from latent_atlas.studies.charts.selection import runs_by_latent_size
from latent_atlas.studies.plan import Plane
from latent_atlas.studies.results import PICTURES, Outcome
from latent_atlas.training.checkpoint import TrainedRun


def draw_mesh(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_mesh.png``: decoded codes of a square mesh."""
    for data, run, plane in _runs_with_two_latents(outcome):
        path = folder / PICTURES / f"{data}_mesh.png"
        plot_mesh(run, outcome.stores[data], plane.mesh, plane.traversal, path)


def draw_scatter(outcome: Outcome, folder: Path) -> None:
    """Write ``<data>_scatter.png``: codes of validation images, coloured by class."""
    for data, run, plane in _runs_with_two_latents(outcome):
        plot_scatter(run, outcome.stores[data], plane.scatter, folder / f"{data}_scatter.png")


def _runs_with_two_latents(outcome: Outcome) -> Iterator[tuple[str, TrainedRun, Plane]]:
    """Data set, run and settings, for each data set that has such a run."""
    for data, runs in runs_by_latent_size(outcome).items():
        for run in runs:
            if run.run.latent_dim == 2 and outcome.study.plane is not None:
                yield data, run, outcome.study.plane
