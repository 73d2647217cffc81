"""What the paths say together: means with intervals, shapes of curves, and the claim about them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from latent_atlas.analysis.interpolation.curves import curvature
from latent_atlas.analysis.interpolation.interpolate import Walk
from latent_atlas.analysis.interpolation.pairs import Pairs

MEASURES = (
    "style",
    "content",
    "smoothness",
    "length",
    "energy",
    "off_manifold",
    "off_pictures",
    "cross_dissolve",
)
AGAINST_LINEAR = ("style", "off_manifold", "off_pictures", "cross_dissolve")
"""The measures whose change against linear paths is given with an interval."""
RANDOM = ("intra", "inter")
SHAPES = ("horseshoe", "wave", "undecided")

_DRAWS = 1000

Numbers = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A number with its 95 % interval, by drawing paths again."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


class Joined(NamedTuple):
    """Pairs that one run joined by one kind of path, and what was measured."""

    run: str
    kind: str
    pairs: Pairs
    walk: Walk


def path_table(joined: list[Joined], ids: npt.NDArray[np.object_]) -> pd.DataFrame:
    """A row a path; `ids` names the validation images."""
    parts = [
        pd.concat(
            [_names(one, ids[one.pairs.first], ids[one.pairs.second]), one.walk.table], axis=1
        )
        for one in joined
    ]
    return pd.concat(parts, ignore_index=True)


def step_table(joined: list[Joined]) -> pd.DataFrame:
    """A row a step of a path, from 1."""
    parts = []
    for one in joined:
        count, steps = one.walk.style.shape
        frame = _names(one).loc[np.repeat(np.arange(count), steps)].reset_index(drop=True)
        frame["step"] = np.tile(np.arange(1, steps + 1), count)
        frame["style"], frame["content"] = one.walk.style.ravel(), one.walk.content.ravel()
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def group_table(joined: list[Joined], seed: int) -> pd.DataFrame:
    """A row a run and a style, or two: the shape of its mean curve, and how much it dissolves.

    Only random pairs on linear paths, as in the report.
    """
    rows = []
    for one in _random_linear(joined):
        index = interval(one.walk.table["cross_dissolve"].to_numpy(), seed)
        bend = curvature(one.walk.style.astype(np.float64), seed)
        rows.append(
            {
                "run": one.run,
                "experiment": one.pairs.experiment,
                "group": one.pairs.group,
                "paths": len(one.walk.style),
                "style": float(one.walk.style.mean()),
                "curvature": bend.value,
                "curvature_low": bend.low,
                "curvature_high": bend.high,
                "shape": bend.shape,
                "cross_dissolve": index.value,
                "cross_dissolve_low": index.low,
                "cross_dissolve_high": index.high,
            }
        )
    return pd.DataFrame(rows)


def claim(joined: list[Joined], run: str, seed: int) -> Interval:
    """Spearman's rank correlation of curvature and cross-dissolve index, over random linear paths.

    If a horseshoe (negative curvature) meant transformation (a high index), and a wave a
    cross-dissolve, it would be near −1.
    """
    tables = [one.walk.table for one in _random_linear(joined) if one.run == run]
    both = pd.concat(tables)[["curvature", "cross_dissolve"]].dropna().to_numpy()
    return _correlation(both, seed)


def between_within(joined: list[Joined], run: str, seed: int) -> Interval:
    """Style loss of random linear paths between two styles, by that within one, and its interval.

    Paths of both kinds are drawn, each on their own.
    """
    means = []
    for number, experiment in enumerate(("inter", "intra")):
        losses = [
            one.walk.table["style"].to_numpy()
            for one in _random_linear(joined)
            if one.run == run and one.pairs.experiment == experiment
        ]
        known = np.concatenate([np.empty(0), *losses])
        if not known.any():
            return Interval(math.nan, math.nan, math.nan)
        means.append((known.mean(), _drawn(len(known), seed + number) @ known))
    (between, many_between), (within, many_within) = means
    ratios = many_between[many_within > 0] / many_within[many_within > 0]
    return Interval(float(between / within), *np.percentile(ratios, [2.5, 97.5]).tolist())


def kind_metrics(joined: list[Joined], run: str, seed: int) -> dict[str, dict[str, float]]:
    """Kind of path → means over the compared pairs, and changes against the linear paths."""
    tables = {
        one.kind: one.walk.table
        for one in joined
        if one.run == run and one.pairs.experiment == "compared"
    }
    found = {}
    for kind, table in tables.items():
        values = {name: float(table[name].mean()) for name in MEASURES}
        for name in AGAINST_LINEAR if kind != "linear" else ():
            change = relative(table[name].to_numpy(), tables["linear"][name].to_numpy(), seed)
            values[f"{name}_change"] = change.value
            values[f"{name}_change_low"], values[f"{name}_change_high"] = change.low, change.high
        found[kind] = values
    return found


def metrics(joined: list[Joined], run: str, seed: int) -> dict[str, dict[str, float]]:
    """Row → metric → value: a row a kind of path, and one for the random pairs."""
    kinds = kind_metrics(joined, run, seed)
    groups = group_table(joined, seed)
    shapes = groups["shape"][groups["run"] == run]
    rho = claim(joined, run, seed)
    return {f"{run}_{kind}": values for kind, values in kinds.items()} | {
        run: {
            "curvature_dissolve_rho": rho.value,
            "curvature_dissolve_rho_low": rho.low,
            "curvature_dissolve_rho_high": rho.high,
            **{f"{shape}_groups": float((shapes == shape).sum()) for shape in SHAPES},
        }
    }


def interval(values: Numbers, seed: int) -> Interval:
    """The mean of the finite ones of P numbers, with its interval."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(math.nan, math.nan, math.nan)
    means = _drawn(len(known), seed) @ known
    return Interval(float(known.mean()), *np.percentile(means, [2.5, 97.5]).tolist())


def relative(values: Numbers, base: Numbers, seed: int) -> Interval:
    """How much more the mean of P numbers is than that of P others of the same pairs, a share.

    Pairs are drawn, with both of their numbers.
    """
    both = np.isfinite(values) & np.isfinite(base)
    if not both.any() or not base[both].any():
        return Interval(math.nan, math.nan, math.nan)
    weights = _drawn(int(both.sum()), seed)
    divisors = weights @ base[both]
    drawn = (weights @ values[both])[divisors != 0] / divisors[divisors != 0] - 1
    value = float(values[both].mean() / base[both].mean() - 1)
    return Interval(value, *np.percentile(drawn, [2.5, 97.5]).tolist())


def _correlation(both: Numbers, seed: int) -> Interval:
    """Spearman's ρ of the columns of P×2, and its interval."""
    if len(both) < 3 or not np.ptp(both, axis=0).all():
        return Interval(math.nan, math.nan, math.nan)
    random = np.random.default_rng(seed)

    def rho(rows: Numbers) -> float:
        ranks = [rankdata(column) - (len(rows) + 1) / 2 for column in rows.T]
        norm = np.linalg.norm(ranks[0]) * np.linalg.norm(ranks[1])
        return float(ranks[0] @ ranks[1] / norm) if norm else math.nan

    drawn = [rho(both[random.integers(len(both), size=len(both))]) for _ in range(_DRAWS)]
    return Interval(rho(both), *np.nanpercentile(drawn, [2.5, 97.5]).tolist())


def _drawn(count: int, seed: int) -> Numbers:
    """Draws×count weights that sum to 1."""
    chance = np.full(count, 1 / count)
    return np.random.default_rng(seed).multinomial(count, chance, _DRAWS) / count


def _random_linear(joined: list[Joined]) -> list[Joined]:
    return [one for one in joined if one.kind == "linear" and one.pairs.experiment in RANDOM]


def _names(
    one: Joined,
    first: npt.NDArray[np.object_] | None = None,
    second: npt.NDArray[np.object_] | None = None,
) -> pd.DataFrame:
    count, steps = one.walk.style.shape
    frame = pd.DataFrame(
        {
            "run": one.run,
            "kind": one.kind,
            "experiment": one.pairs.experiment,
            "group": one.pairs.group,
            "steps": steps,
            "pair": np.arange(count),
        }
    )
    if first is not None:
        frame["first"], frame["second"] = first, second
    return frame
