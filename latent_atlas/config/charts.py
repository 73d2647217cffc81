"""The charts that a study can ask for; a new one adds a module in studies/charts and a line here.

Names are resolved only when a chart is drawn, so that a study.yaml is validated without matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple

PACKAGE = "latent_atlas.studies.charts"


class ChartEntry(NamedTuple):
    """The line of a chart.

    Attributes:
        place: module in `PACKAGE`, and function in it.
        shows: contents, for the documentation.
        keys: optional keys of study.yaml that must be set.
        images: property that the images must have; without it, the chart is left out.
    """

    place: str
    shows: str
    keys: tuple[str, ...] = ()
    images: str = ""


CHARTS = {
    "reconstruction_loss": ChartEntry(
        "losses:draw_reconstruction_loss", "validation loss over β and over latent size"
    ),
    "active_latents": ChartEntry(
        "losses:draw_active_latents", "number of latents in use, over β and latent size"
    ),
    "reconstructions": ChartEntry(
        "reconstructions:draw_reconstructions",
        "a validation image per class beside its reconstruction at each latent size",
        images="labels",
    ),
    "mesh": ChartEntry(
        "latent_plane:draw_mesh", "decoded latent plane of a model with two latents", ("plane",)
    ),
    "scatter": ChartEntry(
        "latent_plane:draw_scatter",
        "codes of images in the latent plane of a model with two latents",
        ("plane",),
        images="labels",
    ),
    "recognition": ChartEntry(
        "recognition:draw_recognition",
        "share of reconstructions that a classifier of real images recognises, by latent size",
        images="labels",
    ),
    "experts": ChartEntry(
        "experts:draw_experts",
        "one model for all classes against one model per class with a router",
        images="labels, and a data set per class",
    ),
    "retrieval": ChartEntry(
        "retrieval:draw_retrieval",
        "images retrieved by a whole code, and by one attribute",
        images="true factors that are names",
    ),
    "disentanglement": ChartEntry(
        "disentanglement:draw_disentanglement",
        "disentanglement metrics by objective, and the information of latents about factors",
        ("examine",),
        images="true factors",
    ),
    "latent_spaces": ChartEntry(
        "latent_spaces:draw_latent_spaces",
        "clusters, directions and distances of latent spaces",
        ("cartography",),
        images="labels",
    ),
    "interpolation": ChartEntry(
        "interpolation:draw_interpolation", "curves between codes", ("interpolation",)
    ),
    "mixing": ChartEntry(
        "mixing:draw_mixing", "mixed scenes against the true mixes", ("mixing", "neighbours")
    ),
}


def function_of(chart: str) -> Callable[..., Any]:
    """The function that draws `chart`."""
    module, _, name = CHARTS[chart].place.partition(":")
    function: Callable[..., Any] = getattr(import_module(f"{PACKAGE}.{module}"), name)
    return function


def modules_of_charts(charts: Iterable[str]) -> list[str]:
    """The modules that draw `charts`, as dotted names, sorted."""
    return sorted({f"{PACKAGE}.{CHARTS[chart].place.partition(':')[0]}" for chart in charts})
