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

Verdict = Literal["same", "better", "worse", "changed", "new", "missing"]

DEVIATIONS = 3.0
"""A difference of up to this number of standard deviations is noise."""

MODULES = (
    "latent_atlas.metrics.explained",
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
    "latent_atlas.analysis.translation.scores",
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
        headline: whether a reviewer decides by it, so that it is in ``metrics/*.json``. The others
            are in ``plots/*/metrics.csv``.
    """

    better: Literal["lower", "higher", "either"]
    relative: float
    unit: str = ""
    headline: bool = False


@dataclass(frozen=True)
class Change:
    """A metric before and after; None where it is missing.

    Attributes:
        metric: as ``run.metric``.
        old: value before.
        new: value after.
        verdict: in one word.
        reason: of the verdict, in words.
        noise: standard deviation of the metric over training seeds; None where it is unknown.
    """

    metric: str
    old: float | None
    new: float | None
    verdict: Verdict
    reason: str
    noise: float | None = None

    @property
    def difference(self) -> float | None:
        """New minus old; None where one of the two is missing."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def deviations(self) -> float | None:
        """The size of the difference in standard deviations of a difference.

        Both values are those of one training. The difference of two independent trainings has the
        standard deviation √2 · `noise`. None where a value is missing, or the noise unknown or 0.
        """
        if self.difference is None or not self.noise:
            return None
        return abs(self.difference) / (math.sqrt(2) * self.noise)

    def line(self) -> str:
        """The change as a line of a list."""
        return f"{self.verdict:8} {self.metric}: {_number(self.old)} → {_number(self.new)}"

    def cells(self) -> list[str]:
        """The change as a row of a table, see `COLUMNS`."""
        difference, deviations = self.difference, self.deviations
        return [
            self.verdict,
            self.metric,
            _number(self.old),
            _number(self.new),
            "–" if difference is None else f"{difference:+.3g}",
            "–" if self.noise is None else f"{self.noise:.2g}",
            "–" if deviations is None else f"{deviations:.1f}",
            self.reason,
        ]


COLUMNS = ("verdict", "metric", "old", "new", "difference", "noise", "deviations", "reason")
"""The columns of `Change.cells`."""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def first_match(name: str, definitions: Mapping[str, Metric]) -> Metric | None:
    """The first of the `definitions` whose pattern fits `name`; None if none does."""
    return next(
        (metric for pattern, metric in definitions.items() if fnmatchcase(name, pattern)), None
    )


def definitions_of(name: str) -> Iterator[Metric]:
    """Yield the definitions of the metric `name`; a test checks that there is exactly one."""
    for module in MODULES:
        metric = first_match(name, import_module(module).METRICS)
        if metric is not None:
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
    noise: float | None = None,
) -> Change:
    """Compare two values of a metric.

    A change counts if it is beyond the tolerance and, where the noise is known, beyond
    `DEVIATIONS` standard deviations of a difference. It is then better or worse, or ``changed``
    where no direction is an improvement. A metric that appears is new; one that disappears is
    missing. A value that is not finite is always worse, and a finite one in its place better.

    Args:
        key: run and name of the metric, as ``run.metric``.
        old: value before; None if there was none.
        new: value after; None if there is none.
        overrides: the section ``gate`` of params.yaml.
        noise: standard deviation over training seeds, at least 0; None if it is unknown.

    Raises:
        UserError: if the metric is defined nowhere.
    """
    metric = metric_of(key.rpartition(".")[2], overrides)
    return Change(key, old, new, *_verdict(old, new, metric, noise), noise)


def _verdict(
    old: float | None, new: float | None, metric: Metric, noise: float | None
) -> tuple[Verdict, str]:
    """The verdict, and its reason."""
    if new is None:
        return "missing", "no value any more"
    if not math.isfinite(new):
        return "worse", "not finite"
    if old is None:
        return "new", "no value before"
    if not math.isfinite(old):
        return "better", "not finite before"
    if abs(new - old) <= metric.relative * abs(old):
        return "same", "within the tolerance"
    if noise and abs(new - old) <= DEVIATIONS * math.sqrt(2) * noise:
        return "same", "within the noise"
    known = f" and {DEVIATIONS:g} standard deviations" if noise else "; the noise is 0"
    reason = "beyond the tolerance" + ("; no noise known" if noise is None else known)
    if metric.better == "either":
        return "changed", reason
    return ("better" if (new < old) == (metric.better == "lower") else "worse"), reason
