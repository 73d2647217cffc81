from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from latent_atlas.data.synthetic.garments import COLORS, LEGAL, RANGES, VALUES, garments

HEIGHT, WIDTH = 96, 64
MIDDLE = {name: (low + high) / 2 for name, (low, high) in RANGES.items()}
DEFAULT = {
    "color": "blue",
    "length": "normal",
    "sleeve_length": "half",
    "neckline": "round",
    "fit": "normal",
    "pattern": "unicolors",
}
HUNG = [category for category in LEGAL if "none" not in LEGAL[category]["sleeve_length"]]

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def _row(category: str, **attributes: str) -> dict[str, object]:
    row: dict[str, object] = {"category": category, **DEFAULT, **MIDDLE, **attributes}
    for name, legal in LEGAL[category].items():
        if row[name] not in legal:
            row[name] = legal[0]
    return row


def _draw(*rows: dict[str, object], height: int = HEIGHT, width: int = WIDTH) -> Picture:
    return garments.render(pd.DataFrame(list(rows)), height, width)


def _differ(a: Picture, b: Picture) -> Mask:
    mask: Mask = (a != b).any(axis=-1)
    return mask


def _cloth(category: str, **attributes: str) -> Mask:
    """The pixels of a garment: those that depend on its colour."""
    pictures = _draw(*(_row(category, **attributes, color=color) for color in ("black", "yellow")))
    return _differ(*pictures)


def test_none_stands_exactly_where_an_attribute_makes_no_sense() -> None:
    factors = garments.factors(5000, 0)
    for name, without in (
        ("sleeve_length", {"pants", "skirts"}),
        ("neckline", {"jackets", "pants", "skirts"}),
    ):
        assert set(factors.loc[factors[name] == "none", "category"]) == without
        assert (factors.loc[factors["category"].isin(without), name] == "none").all()
    for name in ("length", "fit", "pattern"):
        assert "none" not in set(factors[name])


def test_every_legal_value_occurs_and_no_other() -> None:
    factors = garments.factors(8000, 1)
    for category, rows in factors.groupby("category"):
        for name, legal in LEGAL[str(category)].items():
            assert set(rows[name]) == set(legal)


@pytest.mark.parametrize(
    ("category", "name", "value"),
    [
        ("pants", "sleeve_length", "long"),
        ("tops", "sleeve_length", "none"),
        ("jackets", "neckline", "v"),
        ("skirts", "length", "3-4"),
        ("tops", "length", "knee"),
    ],
)
def test_illegal_value_is_refused(category: str, name: str, value: str) -> None:
    row = _row(category) | {name: value}
    with pytest.raises(ValueError, match=f"{name} '{value}' is not drawn for {category}, expected"):
        _draw(row)


@pytest.mark.parametrize("category", LEGAL)
@pytest.mark.parametrize("name", [name for name in VALUES if name != "category"])
def test_any_two_values_look_different(category: str, name: str) -> None:
    values = LEGAL[category].get(name, VALUES[name])
    pictures = _draw(*(_row(category, **{name: value}) for value in values))
    for a, b in combinations(pictures.astype(float), 2):
        # Somewhere clearly, and in all by as much as five pixels turned from black to white.
        assert np.abs(a - b).max() > 40
        assert np.abs(a - b).mean(axis=-1).sum() > 5 * 255


def test_any_two_categories_look_different() -> None:
    pictures = _draw(*(_row(category) for category in LEGAL)).astype(float)
    for a, b in combinations(pictures, 2):
        assert np.abs(a - b).mean(axis=-1).sum() > 20 * 255


@pytest.mark.parametrize("category", LEGAL)
@pytest.mark.parametrize("pattern", ["floral", "polkadots", "print", "stripes"])
def test_pattern_changes_the_cloth_only(category: str, pattern: str) -> None:
    changed = _differ(*_draw(_row(category), _row(category, pattern=pattern)))
    assert changed.sum() > 100
    assert not (changed & ~_cloth(category)).any()


@pytest.mark.parametrize("category", LEGAL)
def test_colour_leaves_the_background(category: str) -> None:
    cloth = _cloth(category)
    pictures = _draw(*(_row(category, color=color) for color in COLORS))
    for picture in pictures[1:]:
        assert not (_differ(pictures[0], picture) & ~cloth).any()
    assert 200 < cloth.sum() < 0.6 * cloth.size


@pytest.mark.parametrize("category", HUNG)
def test_sleeves_leave_the_front_and_everything_below(category: str) -> None:
    values = LEGAL[category]["sleeve_length"]
    pictures = _draw(*(_row(category, sleeve_length=value) for value in values))
    for a, b in combinations(pictures, 2):
        changed = _differ(a, b)
        assert changed.any()
        # A bare arm's armhole cuts into the sides, and a long sleeve ends above the hips.
        assert not changed[:, WIDTH // 2 - 3 : WIDTH // 2 + 3].any()
        assert not changed[67:].any()


@pytest.mark.parametrize("category", LEGAL)
def test_length_changes_nothing_above_the_shorter_hem(category: str) -> None:
    values = LEGAL[category]["length"]
    sleeve = LEGAL[category]["sleeve_length"][-1]
    pictures = _draw(*(_row(category, length=v, sleeve_length=sleeve) for v in values))
    hems = [
        int(np.flatnonzero(_cloth(category, length=v, sleeve_length=sleeve).any(axis=1))[-1])
        for v in values
    ]
    for (a, hem_a), (b, hem_b) in combinations(zip(pictures, hems, strict=True), 2):
        assert abs(hem_a - hem_b) >= 8
        # Hem bands and their shadows are up to nine units high.
        assert not _differ(a, b)[: min(hem_a, hem_b) - 9].any()


@pytest.mark.parametrize("category", ["tops", "knitwear", "dresses"])
def test_neckline_stays_at_the_neck(category: str) -> None:
    values = LEGAL[category]["neckline"]
    pictures = _draw(*(_row(category, neckline=value) for value in values))
    top = int(np.flatnonzero(_cloth(category).any(axis=1))[0])
    for a, b in combinations(pictures, 2):
        changed = _differ(a, b)
        assert not changed[top + 24 :].any()
        assert not changed[:, : WIDTH // 2 - 15].any()
        assert not changed[:, WIDTH // 2 + 15 :].any()


@pytest.mark.parametrize("category", LEGAL)
def test_tighter_is_narrower(category: str) -> None:
    areas = [
        _cloth(category, fit=fit, sleeve_length="sleeveless").sum()
        for fit in ("tight", "normal", "loose")
    ]
    assert areas[0] < 0.95 * areas[1]
    assert areas[1] < 0.95 * areas[2]


def test_lace_lets_the_background_through() -> None:
    plain, lace = _draw(
        _row("skirts", color="black"), _row("skirts", color="black", pattern="lace")
    )
    cloth = _cloth("skirts", pattern="lace")
    assert lace[cloth].mean() > plain[cloth].mean() + 40


def test_colour_can_be_measured() -> None:
    factors = garments.factors(600, 3).assign(pattern="unicolors")
    pictures = garments.render(factors, HEIGHT, WIDTH).astype(float)
    other = garments.render(
        factors.assign(color=np.where(factors["color"] == "black", "white", "black")), HEIGHT, WIDTH
    )
    names, tones = list(COLORS), np.array(list(COLORS.values()))
    right = 0
    for picture, blank, color in zip(pictures, other, factors["color"], strict=True):
        tone = np.median(picture[np.abs(picture - blank).max(axis=-1) > 40], axis=0)
        right += names[int(((tones - tone) ** 2).sum(axis=1).argmin())] == color
    assert right >= 0.97 * len(factors)


def test_a_wider_picture_adds_background_only() -> None:
    factors = garments.factors(30, 5)
    narrow = garments.render(factors, 96, 64)
    wide = garments.render(factors, 96, 96)
    np.testing.assert_array_equal(wide[:, :, 16:80], narrow)
    assert wide[:, :, :14].min() > 210


def test_garments_stay_within_the_frame() -> None:
    factors = garments.factors(500, 6)
    pictures = garments.render(factors, HEIGHT, WIDTH)
    assert pictures[:, 0].min() > 210
    assert pictures[:, :, [0, -1]].min() > 200


def test_size_changes_sharpness_only() -> None:
    factors = garments.factors(40, 7)
    large = garments.render(factors, 192, 128).astype(float)
    small = garments.render(factors, 96, 64).astype(float)
    halved = large.reshape(-1, 96, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - small).mean() < 3
