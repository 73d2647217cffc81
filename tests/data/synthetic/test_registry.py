"""Properties of every drawn data set."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.data.synthetic import raster
from latent_atlas.data.synthetic.base import Bytes, Float
from latent_atlas.data.synthetic.registry import DRAWINGS

NAMES = sorted(DRAWINGS)
SIZES = [(96, 64), (64, 64), (50, 70), (128, 128)]
ATTRIBUTES = [(name, factor) for name in NAMES for factor in DRAWINGS[name].values]
MEASURES = [(name, factor) for name in NAMES for factor in DRAWINGS[name].ranges]


def test_registry_names_each_drawing() -> None:
    assert {"brushwork", "circles_mono", "circles_rgb", "garments", "scenes"} <= set(NAMES)
    assert all(DRAWINGS[name].name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_description_names_every_factor(name: str) -> None:
    drawing = DRAWINGS[name]
    for factor in (*drawing.values, *drawing.ranges):
        short = factor.split("_", 1)[-1] if factor.startswith(("red", "green", "blue")) else factor
        short = "qN_" + short[3:] if short[0] == "q" and short[1].isdigit() else short
        assert short in drawing.description, factor
    assert drawing.label is None or drawing.label in drawing.values


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_shape_and_type(name: str, height: int, width: int) -> None:
    drawing = DRAWINGS[name]
    pictures = drawing.render(drawing.factors(5, 3), height, width)
    assert pictures.shape == (5, height, width, 3)
    assert pictures.dtype == np.uint8
    assert all(picture.max() > picture.min() for picture in pictures)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_give_no_pictures(name: str) -> None:
    drawing = DRAWINGS[name]
    assert drawing.render(drawing.factors(0, 0), 64, 64).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("name", NAMES)
def test_factor_columns(name: str) -> None:
    drawing = DRAWINGS[name]
    factors = drawing.factors(50, 0)
    assert set(factors) == set(drawing.values) | set(drawing.ranges)
    for factor in drawing.values:
        assert all(isinstance(value, str) for value in factors[factor])
    for factor in drawing.ranges:
        assert factors[factor].dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_factors_depend_on_the_seed(name: str) -> None:
    drawing = DRAWINGS[name]
    pd.testing.assert_frame_equal(drawing.factors(40, 5), drawing.factors(40, 5))
    assert not drawing.factors(40, 5).equals(drawing.factors(40, 6))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(few=st.integers(0, 60), more=st.integers(0, 200), seed=st.integers(0, 2**31))
def test_first_rows_do_not_depend_on_count(name: str, few: int, more: int, seed: int) -> None:
    drawing = DRAWINGS[name]
    longer = drawing.factors(few + more, seed).iloc[:few]
    pd.testing.assert_frame_equal(drawing.factors(few, seed), longer)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_a_picture_depends_on_its_row_only(name: str, data: st.DataObject, seed: int) -> None:
    drawing = DRAWINGS[name]
    factors = drawing.factors(40, seed)
    whole = drawing.render(factors, 64, 64)
    rows = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=40))
    np.testing.assert_array_equal(drawing.render(factors.iloc[rows], 64, 64), whole[rows])


@pytest.mark.parametrize("name", NAMES)
def test_blocks_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = DRAWINGS[name]
    factors = drawing.factors(30, 8)
    whole = drawing.render(factors, 64, 64)
    monkeypatch.setattr("latent_atlas.data.synthetic.base.BLOCK_PIXELS", 3 * 64 * 64)
    np.testing.assert_array_equal(drawing.render(factors, 64, 64), whole)


@pytest.mark.parametrize("name", ["brushwork", "garments", "scenes"])
def test_pictures_are_computed_in_single_precision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = []
    finish = raster.finish

    def spy(picture: Float) -> Bytes:
        kinds.append(picture.dtype)
        return finish(picture)

    monkeypatch.setattr(raster, "finish", spy)
    DRAWINGS[name].render(DRAWINGS[name].factors(20, 1), 64, 64)
    assert kinds
    assert set(kinds) == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("brushwork", "58212a011aa0d498"),
        ("circles_mono", "864cb87e03c8a56b"),
        ("circles_rgb", "b5b1be7b7b5b5d28"),
        ("garments", "d3ce09084e65cc36"),
        ("scenes", "ba59f844364b8b3b"),
    ],
)
def test_same_bytes_on_every_machine(name: str, digest: str) -> None:
    # A change here makes every image store and metric of this data set new: mean it.
    pictures = DRAWINGS[name].render(DRAWINGS[name].factors(64, 0), 64, 64)
    assert hashlib.sha256(pictures.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize(("name", "factor"), ATTRIBUTES)
def test_every_value_occurs(name: str, factor: str) -> None:
    drawing = DRAWINGS[name]
    assert set(drawing.factors(4000, 2)[factor]) == set(drawing.values[factor])


@pytest.mark.parametrize(("name", "factor"), MEASURES)
def test_continuous_factors_are_uniform(name: str, factor: str) -> None:
    low, high = DRAWINGS[name].ranges[factor]
    n = 5000
    drawn = np.sort((DRAWINGS[name].factors(n, 11)[factor].to_numpy() - low) / (high - low))
    assert drawn[0] >= 0
    assert drawn[-1] < 1
    # Kolmogorov–Smirnov: 1.95/√n is exceeded once in a thousand uniform samples; the seed is fixed.
    distance = np.abs(drawn - (np.arange(n) + 0.5) / n).max() + 0.5 / n
    assert distance < 1.95 / np.sqrt(n)


@pytest.mark.parametrize("name", NAMES)
def test_continuous_factors_are_independent(name: str) -> None:
    drawing = DRAWINGS[name]
    n = 5000
    correlation = np.corrcoef(drawing.factors(n, 4)[list(drawing.ranges)].to_numpy().T)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)


def test_values_drawn_evenly() -> None:
    for name, factor in (
        ("garments", "category"),
        ("brushwork", "style"),
        ("brushwork", "content"),
    ):
        shares = DRAWINGS[name].factors(20000, 0)[factor].value_counts(normalize=True)
        np.testing.assert_allclose(shares, 1 / len(shares), atol=0.012)


@pytest.mark.parametrize(("name", "factor"), ATTRIBUTES)
def test_unknown_value_is_named(name: str, factor: str) -> None:
    drawing = DRAWINGS[name]
    factors = drawing.factors(3, 0)
    factors.loc[1, factor] = "plaid"
    with pytest.raises(ValueError, match=f"{name}: row 1: {factor} is 'plaid', expected one of"):
        drawing.render(factors, 64, 64)


@pytest.mark.parametrize(("name", "factor"), [*ATTRIBUTES, *MEASURES])
def test_missing_factor_is_named(name: str, factor: str) -> None:
    drawing = DRAWINGS[name]
    with pytest.raises(ValueError, match=f"{name}: factor {factor} is missing"):
        drawing.render(drawing.factors(2, 0).drop(columns=factor), 64, 64)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_number_that_is_not_finite_is_refused(name: str, bad: float) -> None:
    drawing = DRAWINGS[name]
    factors = drawing.factors(3, 0)
    factor = next(iter(drawing.ranges))
    factors.loc[2, factor] = bad
    with pytest.raises(ValueError, match=f"{name}: row 2: {factor} is not a finite number"):
        drawing.render(factors, 64, 64)


def test_negative_count_seed_and_empty_sides_are_refused() -> None:
    drawing = DRAWINGS["circles_mono"]
    for count, seed in ((-1, 0), (1, -1)):
        with pytest.raises(ValueError, match="must not be negative"):
            drawing.factors(count, seed)
    with pytest.raises(ValueError, match="must be at least 1 pixel"):
        drawing.render(drawing.factors(1, 0), 0, 64)


def _seen(
    name: str, factor: str, base: pd.DataFrame
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """For each row: whether the picture differs between both ends of the range of `factor`."""
    drawing = DRAWINGS[name]
    low, high = drawing.ranges[factor]
    ends = [drawing.render(base.assign(**{factor: end}), 64, 64) for end in (low, high - 1e-6)]
    if factor in {"folds", "pattern_x", "pattern_y", "relief"} or factor.endswith("_hue"):
        # The ends of a phase are the same; its middle is not.
        ends[1] = drawing.render(base.assign(**{factor: (low + high) / 2.7}), 64, 64)
    changed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = (ends[0] != ends[1]).any(
        axis=(1, 2, 3)
    )
    return changed


@pytest.mark.parametrize(("name", "factor"), MEASURES)
def test_every_continuous_factor_is_visible(name: str, factor: str) -> None:
    base = DRAWINGS[name].factors(12, 21)
    assert _seen(name, factor, base).any()
