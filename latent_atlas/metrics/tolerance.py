"""Direction, tolerance and unit of every metric, and comparison of two values.

A module that defines metrics declares them in a dictionary ``METRICS``: name, or fnmatch pattern of
names, → `Metric`. `MODULES` lists these modules. They are imported only when a metric is looked up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, Literal, NamedTuple

from latent_atlas.config.schema import MetricOverride
from latent_atlas.util.console import UserError

Verdict = Literal["same", "better", "worse", "new", "missing"]

MODULES = (
    "latent_atlas.metrics.reconstruction",
    "latent_atlas.metrics.disentanglement.beta_vae_score",
    "latent_atlas.metrics.disentanglement.dci",
    "latent_atlas.metrics.disentanglement.factor_vae_score",
    "latent_atlas.metrics.disentanglement.mig",
    "latent_atlas.metrics.disentanglement.modularity_explicitness",
    "latent_atlas.metrics.disentanglement.sap",
    "latent_atlas.metrics.disentanglement.total_correlation",
    "latent_atlas.analysis.latent_space.clusters",
    "latent_atlas.analysis.latent_space.prior",
    "latent_atlas.analysis.latent_space.projections",
    "latent_atlas.analysis.latent_space.spread",
    "latent_atlas.analysis.interpolation.style_auc",
    "latent_atlas.analysis.interpolation.tables",
    "latent_atlas.analysis.neighbours.agreement",
    "latent_atlas.analysis.scene_mixing.evaluator",
    "latent_atlas.analysis.scene_mixing.object_classifier",
    "latent_atlas.analysis.scene_mixing.object_probe",
    "latent_atlas.shop.products.ground_truth",
    "latent_atlas.shop.products.metrics",
)
"""Modules with a dictionary ``METRICS``."""


class Metric(NamedTuple):
    """Definition of a metric.

    Attributes:
        better: the direction of an improvement; ``either`` where no direction is one.
        relative: changes up to this share of the old value are noise.
        unit: e.g. ``"dB"``; empty for shares, scores and counts.
    """

    better: Literal["lower", "higher", "either"]
    relative: float
    unit: str = ""


@dataclass(frozen=True)
class Change:
    """A metric before and after; None where it is missing."""

    metric: str
    old: float | None
    new: float | None
    verdict: Verdict

    def line(self) -> str:
        """The change as a line of a table."""
        old = "–" if self.old is None else f"{self.old:.5g}"
        new = "–" if self.new is None else f"{self.new:.5g}"
        return f"{self.verdict:8} {self.metric}: {old} → {new}"


def definitions_of(name: str) -> Iterator[Metric]:
    """Yield the definitions of the metric `name`; a test checks that there is exactly one."""
    for module in MODULES:
        for pattern, metric in import_module(module).METRICS.items():
            if fnmatchcase(name, pattern):
                yield metric


def metric_of(name: str, overrides: Mapping[str, MetricOverride]) -> Metric:
    """Look up the metric `name`; the first override whose pattern fits replaces its values.

    Raises:
        UserError: if the metric is defined nowhere.
    """
    metric = next(definitions_of(name), None)
    if metric is None:
        raise UserError(
            f"metric {name!r}: found no definition; add its direction and tolerance to METRICS of "
            "the module that computes it"
        )
    for pattern, override in overrides.items():
        if fnmatchcase(name, pattern):
            return metric._replace(**override.model_dump(exclude_none=True))
    return metric


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested metrics as ``{"run.metric": number}``."""
    flat: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = float(value)
    return flat


def compare(
    key: str,
    old: float | None,
    new: float | None,
    overrides: Mapping[str, MetricOverride],
) -> Change:
    """Compare two values of a metric.

    A change within the tolerance is noise. A metric that appears is new; one that disappears is
    missing. A value that is not finite is always worse, and a finite one in its place better.

    Args:
        key: run and name of the metric, as ``run.metric``.
        old: value before; None if there was none.
        new: value after; None if there is none.
        overrides: the section ``gate`` of params.yaml.

    Raises:
        UserError: if the metric is defined nowhere.
    """
    metric = metric_of(key.rpartition(".")[2], overrides)
    return Change(key, old, new, _verdict(old, new, metric))


def _verdict(old: float | None, new: float | None, metric: Metric) -> Verdict:
    if new is None:
        return "missing"
    if not math.isfinite(new):
        return "worse"
    if old is None:
        return "new"
    if not math.isfinite(old):
        return "better"
    if abs(new - old) <= metric.relative * abs(old):
        return "same"
    if metric.better == "either":
        return "worse"
    return "better" if (new < old) == (metric.better == "lower") else "worse"
