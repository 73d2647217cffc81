"""Tables of interpolations: correlations, shapes of groups, ratios and relative changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.interpolation import tables
from latent_atlas.analysis.interpolation.interpolate import MeasuredCurves
from latent_atlas.analysis.interpolation.pairs import Pairs
from latent_atlas.analysis.interpolation.tables import Interpolations

RANDOM = np.random.default_rng(0)


def interpolations(
    kind: str, experiment: str, group: str, style: np.ndarray, index: np.ndarray
) -> Interpolations:
    """Interpolations with this style loss of each step, and this cross-dissolve index."""
    count, random = len(style), np.random.default_rng(1)
    table = pd.DataFrame({name: random.random(count) for name in tables.MEASURES})
    table["cross_dissolve"] = index
    table["curvature"] = style[:, 4] - style[:, 0]
    rows = np.arange(count)
    images = np.zeros((count, 11, 2, 2, 3), np.uint8)
    floats = style.astype(np.float32)
    curves = MeasuredCurves(table, floats, floats, images)
    return Interpolations("run", kind, Pairs(experiment, group, rows, rows[::-1]), curves)


def test_curvature_and_index_correlate_over_random_linear_curves_only() -> None:
    u = np.linspace(-1, 1, 10)
    bend = RANDOM.normal(size=(60, 1))
    profiles = 5 + bend * u**2
    against = interpolations("linear", "intra", "a", profiles, (10 + bend * 3).ravel())
    other = interpolations("geodesic", "intra", "a", profiles, -bend.ravel())
    rho = tables.curvature_dissolve_rho([against, other], "run", 0)
    assert rho.value == pytest.approx(-1)
    assert rho.high < -0.95
    noise = interpolations("linear", "intra", "a", profiles, RANDOM.random(60))
    rho = tables.curvature_dissolve_rho([noise], "run", 0)
    assert rho.low < 0 < rho.high


def test_groups_have_shapes_and_tables_have_rows() -> None:
    u = np.linspace(-1, 1, 10)
    noise = RANDOM.normal(size=(2, 30, 10)) * 0.05
    parts = [
        interpolations("linear", "intra", "a", 2 - u**2 + noise[0], np.full(30, 0.25)),
        interpolations("linear", "inter", "a – b", 2 + u**2 + noise[1], np.full(30, 0.5)),
    ]
    groups = tables.group_table(parts, 0)
    assert groups["shape"].tolist() == ["horseshoe", "wave"]
    assert groups["cross_dissolve"].tolist() == [0.25, 0.5]
    ids = np.array([f"image{i}" for i in range(30)], dtype=object)
    curves = tables.curve_table(parts, ids)
    assert len(curves) == 60
    assert curves.iloc[0][["first", "second", "group"]].tolist() == ["image0", "image29", "a"]
    steps = tables.step_table(parts)
    assert len(steps) == 600
    row = steps[(steps["group"] == "a") & (steps["pair"] == 3) & (steps["step"] == 7)]
    assert row["style"].item() == pytest.approx(parts[0].curves.style[3, 6])


def test_the_between_within_ratio_is_a_ratio_of_means() -> None:
    profiles = RANDOM.random((40, 10))
    parts = [
        interpolations("linear", "intra", "a", profiles, profiles[:, 0]),
        interpolations("linear", "intra", "b", profiles, profiles[:, 0]),
        interpolations("linear", "inter", "a – b", profiles, profiles[:, 0]),
        interpolations("geodesic", "inter", "a – b", profiles, profiles[:, 0]),
    ]
    for part, level in zip(parts, (1.0, 3.0, 5.0, 100.0), strict=True):
        part.curves.table["style"] = level
    ratio = tables.between_within_ratio(parts, "run", 0)
    assert ratio.value == pytest.approx(2.5)
    assert 2.0 < ratio.low < 2.5 < ratio.high < 3.2
    assert np.isnan(tables.between_within_ratio(parts[:2], "run", 0).value)


def test_relative_changes_compare_pairs() -> None:
    base = RANDOM.random(50) * 100
    change = tables.relative_change(base * 1.5, base, 0)
    assert change == pytest.approx((0.5, 0.5, 0.5))  # the same for each pair: no spread
    assert tables.mean_interval(np.array([1.0, 3.0, np.nan]), 0).value == 2
    assert np.isnan(tables.mean_interval(np.array([np.nan]), 0).value)
    profiles = RANDOM.random((20, 10))
    parts = [
        interpolations("linear", "compared", "any", profiles, np.full(20, 0.5)),
        interpolations("geodesic", "compared", "any", profiles, np.full(20, 0.25)),
    ]
    metrics = tables.kind_metrics(parts, "run", 0)
    assert metrics["geodesic"]["cross_dissolve_change"] == pytest.approx(-0.5)
    assert "cross_dissolve_change" not in metrics["linear"]


@pytest.mark.filterwarnings("error")
def test_a_collapsed_model_has_no_shape_and_no_correlation() -> None:
    """All of its images are equal: the style never changes, and the curvature is undefined."""
    constant = interpolations("linear", "intra", "a", np.zeros((5, 10)), np.full(5, 0.5))
    assert tables.group_table([constant], 0)["shape"].tolist() == ["undecided"]
    assert np.isnan(tables.curvature_dissolve_rho([constant], "run", 0).value)
    assert np.isnan(tables.relative_change(np.zeros(5), np.zeros(5), 0).value)
