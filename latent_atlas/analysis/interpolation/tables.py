"""Tables of interpolations: means with intervals, shapes of groups, comparisons of kinds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from latent_atlas.analysis.interpolation.curvature import mean_curvature
from latent_atlas.analysis.interpolation.interpolate import MeasuredCurves
from latent_atlas.analysis.interpolation.pairs import Pairs
from latent_atlas.metrics.tolerance import Metric

METRICS = {
    "style": Metric("either", 0.1),
    "content": Metric("either", 0.1),
    "smoothness": Metric("higher", 0.1),
    "length": Metric("either", 0.1),
    "energy": Metric("either", 0.1),
    "distance_to_codes": Metric("lower", 0.1),
    "distance_to_images": Metric("lower", 0.1),
    "cross_dissolve": Metric("higher", 0.1),
    "style_change": Metric("either", 0.5, headline=True),
    "*_change*": Metric("either", 0.5),
    "curvature_dissolve_rho": Metric("either", 0.5, headline=True),
    "curvature_dissolve_rho_*": Metric("either", 0.5),
    "*_groups": Metric("either", 0.5),
}

MEASURES = (
    "style",
    "content",
    "smoothness",
    "length",
    "energy",
    "distance_to_codes",
    "distance_to_images",
    "cross_dissolve",
)
AGAINST_LINEAR = ("style", "distance_to_codes", "distance_to_images", "cross_dissolve")
"""Measures whose relative change from linear curves has an interval."""
RANDOM = ("intra", "inter")
SHAPES = ("horseshoe", "wave", "undecided")

_DRAWS = 1000

Numbers = npt.NDArray[np.float64]
Ids = npt.NDArray[np.object_]


class Interval(NamedTuple):
    """A number with its 95 % interval, by bootstrap over curves."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


_UNKNOWN = Interval(math.nan, math.nan, math.nan)


class Interpolations(NamedTuple):
    """The curves of one run and one kind between some pairs, and their measures."""

    run: str
    kind: str
    pairs: Pairs
    curves: MeasuredCurves


def curve_table(parts: list[Interpolations], ids: Ids) -> pd.DataFrame:
    """A row per curve; `ids` are those of the validation images."""
    tables = []
    for part in parts:
        names = _name_columns(part)
        names["first"], names["second"] = ids[part.pairs.first], ids[part.pairs.second]
        tables.append(pd.concat([names, part.curves.table], axis=1))
    return pd.concat(tables, ignore_index=True)


def step_table(parts: list[Interpolations]) -> pd.DataFrame:
    """A row per step of a curve; steps count from 1."""
    tables = []
    for part in parts:
        style, content = part.curves.style, part.curves.content
        count, steps = style.shape
        table = _name_columns(part).loc[np.repeat(np.arange(count), steps)].reset_index(drop=True)
        table["step"] = np.tile(np.arange(1, steps + 1), count)
        table["style"], table["content"] = style.ravel(), content.ravel()
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def group_table(parts: list[Interpolations], seed: int) -> pd.DataFrame:
    """A row per run and group (one style, or two): shape of its mean curve, cross-dissolve index.

    Random pairs on linear curves only, as in Rich 2021.
    """
    rows = []
    for part in _random_linear(parts):
        index = mean_interval(part.curves.table["cross_dissolve"].to_numpy(), seed)
        curvature = mean_curvature(part.curves.style.astype(np.float64), seed)
        rows.append(
            {
                "run": part.run,
                "experiment": part.pairs.experiment,
                "group": part.pairs.group,
                "curves": len(part.curves.style),
                "style": float(part.curves.style.mean()),
                "curvature": curvature.value,
                "curvature_low": curvature.low,
                "curvature_high": curvature.high,
                "shape": curvature.shape,
                "cross_dissolve": index.value,
                "cross_dissolve_low": index.low,
                "cross_dissolve_high": index.high,
            }
        )
    return pd.DataFrame(rows)


def curvature_dissolve_rho(parts: list[Interpolations], run: str, seed: int) -> Interval:
    """Spearman's ρ of curvature and cross-dissolve index over random linear curves.

    If a horseshoe (negative curvature) meant transformation (a high index), and a wave a
    cross-dissolve, ρ would be near −1.
    """
    tables = [part.curves.table for part in _random_linear(parts) if part.run == run]
    both = pd.concat(tables)[["curvature", "cross_dissolve"]].dropna().to_numpy()
    return _spearman(both, seed)


def between_within_ratio(parts: list[Interpolations], run: str, seed: int) -> Interval:
    """Mean style loss of random linear curves between two styles, divided by that within one.

    The bootstrap draws curves of both experiments independently.
    """
    means = []
    for number, experiment in enumerate(("inter", "intra")):
        losses = [
            part.curves.table["style"].to_numpy()
            for part in _random_linear(parts)
            if part.run == run and part.pairs.experiment == experiment
        ]
        values = np.concatenate([np.empty(0), *losses])
        if not values.any():
            return _UNKNOWN
        means.append((values.mean(), _bootstrap_weights(len(values), seed + number) @ values))
    (between, between_means), (within, within_means) = means
    ratios = between_means[within_means > 0] / within_means[within_means > 0]
    return Interval(float(between / within), *np.percentile(ratios, [2.5, 97.5]).tolist())


def kind_metrics(parts: list[Interpolations], run: str, seed: int) -> dict[str, dict[str, float]]:
    """Kind → means over the compared pairs, and relative changes from linear curves."""
    tables = {kind: curves.table for kind, curves in compared_curves(parts, run).items()}
    metrics = {}
    for kind, table in tables.items():
        values = {name: float(table[name].mean()) for name in MEASURES}
        for name in AGAINST_LINEAR if kind != "linear" else ():
            base = tables["linear"][name].to_numpy()
            change = relative_change(table[name].to_numpy(), base, seed)
            values[f"{name}_change"] = change.value
            values[f"{name}_change_low"], values[f"{name}_change_high"] = change.low, change.high
        metrics[kind] = values
    return metrics


def compared_curves(parts: list[Interpolations], run: str) -> dict[str, MeasuredCurves]:
    """Kind → curves between the compared pairs of a run."""
    return {
        part.kind: part.curves
        for part in parts
        if part.run == run and part.pairs.experiment == "compared"
    }


def interpolation_metrics(
    parts: list[Interpolations], run: str, seed: int
) -> dict[str, dict[str, float]]:
    """Row → metric → value: a row per kind of curve, and one row for the random pairs."""
    kinds = kind_metrics(parts, run, seed)
    groups = group_table(parts, seed)
    shapes = groups["shape"][groups["run"] == run]
    rho = curvature_dissolve_rho(parts, run, seed)
    return {f"{run}_{kind}": values for kind, values in kinds.items()} | {
        run: {
            "curvature_dissolve_rho": rho.value,
            "curvature_dissolve_rho_low": rho.low,
            "curvature_dissolve_rho_high": rho.high,
            **{f"{shape}_groups": float((shapes == shape).sum()) for shape in SHAPES},
        }
    }


def mean_interval(values: Numbers, seed: int) -> Interval:
    """The mean of the finite numbers among P, with its interval."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return _UNKNOWN
    means = _bootstrap_weights(len(finite), seed) @ finite
    return Interval(float(finite.mean()), *np.percentile(means, [2.5, 97.5]).tolist())


def relative_change(values: Numbers, base: Numbers, seed: int) -> Interval:
    """Relative change of the mean of P numbers from the mean of P others of the same pairs.

    The bootstrap draws pairs, with both of their numbers.
    """
    both = np.isfinite(values) & np.isfinite(base)
    if not both.any() or not base[both].any():
        return _UNKNOWN
    weights = _bootstrap_weights(int(both.sum()), seed)
    divisors = weights @ base[both]
    changes = (weights @ values[both])[divisors != 0] / divisors[divisors != 0] - 1
    value = float(values[both].mean() / base[both].mean() - 1)
    return Interval(value, *np.percentile(changes, [2.5, 97.5]).tolist())


def _spearman(both: Numbers, seed: int) -> Interval:
    """Spearman's ρ of the columns of P×2, and its interval."""
    if len(both) < 3 or not np.ptp(both, axis=0).all():
        return _UNKNOWN
    random = np.random.default_rng(seed)

    def rho(rows: Numbers) -> float:
        ranks = [rankdata(column) - (len(rows) + 1) / 2 for column in rows.T]
        norm = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
        return float(ranks[0] @ ranks[1] / norm) if norm else math.nan

    values = [rho(both[random.integers(len(both), size=len(both))]) for _ in range(_DRAWS)]
    return Interval(rho(both), *np.nanpercentile(values, [2.5, 97.5]).tolist())


def _bootstrap_weights(count: int, seed: int) -> Numbers:
    """Draws×count weights; each row sums to 1."""
    chance = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, chance, _DRAWS) / count


def _random_linear(parts: list[Interpolations]) -> list[Interpolations]:
    return [part for part in parts if part.kind == "linear" and part.pairs.experiment in RANDOM]


def _name_columns(part: Interpolations) -> pd.DataFrame:
    """A row per curve with the columns that name it."""
    count, steps = part.curves.style.shape
    return pd.DataFrame(
        {
            "run": part.run,
            "kind": part.kind,
            "experiment": part.pairs.experiment,
            "group": part.pairs.group,
            "steps": steps,
            "pair": np.arange(count),
        }
    )
