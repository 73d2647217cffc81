from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent_atlas.data.synthetic.scenes import CLASSES, PARTS, QUADRANTS, VALUES, mix, scenes

SIDE = 64
# Quadrants as indices into B×H×W…
CORNERS = [
    (slice(None), slice(a, a + SIDE // 2), slice(b, b + SIDE // 2))
    for a in (0, SIDE // 2)
    for b in (0, SIDE // 2)
]


def _changed(a: pd.DataFrame, b: pd.DataFrame) -> npt.NDArray[np.bool_]:
    first, second = scenes.render(a, SIDE, SIDE), scenes.render(b, SIDE, SIDE)
    changed: npt.NDArray[np.bool_] = (first != second).any(axis=-1)
    return changed


def test_a_quarter_of_the_quadrants_is_empty_but_no_picture() -> None:
    factors = scenes.factors(20000, 0)
    empty = factors[[f"{q}_class" for q in QUADRANTS]].to_numpy() == "none"
    assert not empty.all(axis=1).any()
    # 0.25 less the 0.25⁴ of scenes that are given an object, a quarter of them in each quadrant.
    np.testing.assert_allclose(empty.mean(axis=0), 0.25 - 0.25**4 / 4, atol=0.013)


@settings(max_examples=10, deadline=None)
@given(replaced=st.lists(st.booleans(), min_size=4, max_size=4), seed=st.integers(0, 500))
def test_a_mix_changes_the_replaced_quadrants_only(replaced: list[bool], seed: int) -> None:
    reference, other = scenes.factors(20, seed), scenes.factors(40, seed + 1).iloc[20:]
    mixed = mix(reference, [other if swap else None for swap in replaced])
    changed = _changed(reference, mixed)
    for swap, corner in zip(replaced, CORNERS, strict=True):
        assert bool(changed[corner].any()) == swap


def test_a_mix_shows_the_donor_s_object() -> None:
    reference, donor = scenes.factors(50, 1), scenes.factors(50, 2)
    land = [str(name) for name in reference if str(name)[:2] not in QUADRANTS]
    same_land = donor.assign(**{name: reference[name] for name in land})
    whole = scenes.render(same_land, SIDE, SIDE)
    np.testing.assert_array_equal(scenes.render(mix(reference, [donor] * 4), SIDE, SIDE), whole)
    pd.testing.assert_frame_equal(mix(reference, [None] * 4), reference)


def test_a_mix_keeps_its_inputs() -> None:
    reference, donor = scenes.factors(5, 1), scenes.factors(5, 2)
    before = reference.copy()
    mix(reference, [donor, None, None, None])
    pd.testing.assert_frame_equal(reference, before)


def test_bad_mixes_are_refused() -> None:
    reference = scenes.factors(5, 1)
    with pytest.raises(ValueError, match="3 donors for 4 quadrants"):
        mix(reference, [None] * 3)
    with pytest.raises(ValueError, match="q2 has 4 donors for 5 scenes"):
        mix(reference, [None, reference.iloc[:4], None, None])


@pytest.mark.parametrize("k", range(4))
def test_an_empty_quadrant_hides_its_other_factors(k: int) -> None:
    quadrant = QUADRANTS[k]
    empty = scenes.factors(30, 3).assign(**{f"{quadrant}_class": "none"})
    other = scenes.factors(30, 4)
    moved = empty.assign(**{f"{quadrant}_{p}": other[f"{quadrant}_{p}"] for p in PARTS[1:]})
    assert not _changed(empty, moved).any()


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_is_visible_and_lies_within_its_quadrant(kind: str) -> None:
    blank = scenes.factors(16, 5).assign(**{f"{q}_class": "none" for q in QUADRANTS})
    for x, y, size in ((0.0, 0.0, 0.95), (1.0, 1.0, 0.95), (0.5, 0.5, 0.6)):
        placed = blank.assign(q1_class=kind, q1_x=x, q1_y=y, q1_size=size)
        before = scenes.render(blank, SIDE, SIDE)[CORNERS[0]].astype(int)
        after = scenes.render(placed, SIDE, SIDE)[CORNERS[0]].astype(int)
        change = np.abs(after - before).max(axis=-1)
        assert ((change > 30).mean(axis=(1, 2)) > 0.08).all()
        rim = np.concatenate(
            [change[:, 0], change[:, -1], change[:, :, 0], change[:, :, -1]], axis=1
        )
        assert rim.max() < 50  # shadow, but neither object nor border


def test_size_and_place_are_those_of_the_factors() -> None:
    blank = scenes.factors(1, 5).assign(**{f"{q}_class": "none" for q in QUADRANTS})
    spans = []
    for x, size in ((0.0, 0.6), (1.0, 0.6), (0.0, 0.9)):
        placed = blank.assign(q4_class="ball", q4_x=x, q4_y=0.5, q4_size=size)
        there = (scenes.render(placed, 256, 256).astype(int) - scenes.render(blank, 256, 256))[
            0, 128:, 128:
        ]
        columns = np.flatnonzero((np.abs(there).max(axis=-1) > 60).any(axis=0))
        spans.append((int(columns[0]), int(columns[-1]) + 1))
    (left, right), (left_2, right_2), (_, right_3) = spans
    assert abs((left_2 - left) - 0.4 * 128) <= 2
    assert abs((right_2 - right) - 0.4 * 128) <= 2
    assert abs(right_3 / right - 0.9 / 0.6) < 0.1


def test_classes_look_different() -> None:
    base = scenes.factors(1, 8).assign(q1_x=0.5, q1_y=0.5, q1_size=0.9, q1_hue=0.1)
    pictures = [scenes.render(base.assign(q1_class=c), SIDE, SIDE).astype(float) for c in CLASSES]
    for i, a in enumerate(pictures):
        for b in pictures[i + 1 :]:
            assert (np.abs(a - b).max(axis=-1)[CORNERS[0]] > 60).mean() > 0.1


def test_backgrounds_look_different() -> None:
    base = scenes.factors(1, 8)
    means = [
        scenes.render(base.assign(background=b), SIDE, SIDE)
        .reshape(2, 32, SIDE, 3)
        .mean(axis=(1, 2))
        for b in VALUES["background"]
    ]
    for i, a in enumerate(means):
        for b in means[i + 1 :]:
            assert np.abs(a - b).max() > 15


def test_odd_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="sides 63×64 must be even"):
        scenes.render(scenes.factors(1, 0), 63, 64)
