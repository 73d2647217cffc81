"""The parts of walks: which pairs, what separates, and what is said of all paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.interpolation import pairs, style_auc, tables
from latent_atlas.analysis.interpolation.interpolate import Walk
from latent_atlas.analysis.interpolation.pairs import Pairs
from latent_atlas.analysis.interpolation.tables import Joined
from latent_atlas.data.store import Store
from latent_atlas.metrics.style import Measure
from latent_atlas.models import backbones
from latent_atlas.util.console import UserError

RANDOM = np.random.default_rng(0)


def test_random_pairs_are_of_their_styles_and_never_of_one_image(
    make_store: Callable[..., Store],
) -> None:
    store = make_store(count=80, classes=3)
    members = pairs.styles(store)
    labels = store.index["label"].to_numpy()[store.rows("valid")]
    found = list(pairs.random_pairs(members, 10, seed=1))
    groups = [(one.experiment, one.group) for one in found]
    assert groups[:3] == [("intra", f"class{i}") for i in range(3)]
    assert groups[3:] == [("inter", f"class{a} – class{b}") for a, b in ((0, 1), (0, 2), (1, 2))]
    for one in found:
        a, *b = one.group.split(" – ")
        assert set(labels[one.first]) == {a}
        assert set(labels[one.second]) == set(b or [a])
        assert (one.first != one.second).all()
        assert len({*zip(one.first, one.second, strict=True)}) == len(one.first) <= 10
    again = list(pairs.random_pairs(members, 10, seed=1))
    assert all(np.array_equal(a.first, b.first) for a, b in zip(found, again, strict=True))
    other = list(pairs.random_pairs(members, 10, seed=2))
    assert any(not np.array_equal(a.first, b.first) for a, b in zip(found, other, strict=True))


def test_few_images_give_all_pairs(make_store: Callable[..., Store]) -> None:
    members = {"a": np.array([3, 5, 9]), "b": np.array([4, 6])}
    found = {one.group: one for one in pairs.random_pairs(members, 100, seed=0)}
    assert len(found["a"].first) == 6  # in either order
    assert len(found["a – b"].first) == 6
    assert set(found["b"].first) == {4, 6}


def test_extreme_pairs_are_the_closest_and_the_farthest() -> None:
    codes = np.array([[0], [1], [10], [10.5], [30]], np.float32)
    members = {"a": np.array([0, 1, 4]), "b": np.array([2, 3])}
    found = {
        (one.experiment, one.group): {int(one.first[0]), int(one.second[0])}
        for one in pairs.extreme_pairs(members, codes)
    }
    assert found == {
        ("closest", "a"): {0, 1},
        ("farthest", "a"): {0, 4},
        ("closest", "b"): {2, 3},
        ("farthest", "b"): {2, 3},
        ("closest", "a – b"): {1, 2},
    }


def test_extreme_pairs_of_equal_codes_are_of_two_images() -> None:
    members = {"a": np.array([0, 1, 4]), "b": np.array([2, 3])}
    for one in pairs.extreme_pairs(members, np.full((5, 2), 0.3, np.float32)):
        assert (one.first != one.second).all(), one


def test_a_style_of_one_picture_is_named(make_store: Callable[..., Store]) -> None:
    store = make_store()
    labels = store.index["label"].to_numpy().copy()
    labels[store.rows("valid")] = "class1"
    labels[store.rows("valid")[0]] = "class0"
    alone = replace(store, index=store.index.assign(label=labels))
    with pytest.raises(UserError, match=r"data blobs: 1 validation images of 'class0', expected"):
        pairs.styles(alone)


def test_without_labels_all_images_are_one_style(make_store: Callable[..., Store]) -> None:
    store = make_store(classes=0)
    assert list(pairs.styles(store)) == ["all"]
    assert not len(style_auc.sample(store, 10, 0))


@pytest.fixture(scope="module")
def measure() -> Measure:
    return Measure(backbones.load("vgg19_random"), {"conv1_1": 1.0, "conv2_1": 1.0}, 16)


def striped(make_store: Callable[..., Store]) -> Store:
    """Noise of two textures (style) and two lights (content), by row."""
    store = make_store(count=60, height=16, width=16, classes=2)
    style, content = np.arange(60) % 2, np.arange(60) // 2 % 2
    noise = RANDOM.integers(-40, 41, (60, 16, 16, 1))
    coarse = np.repeat(np.repeat(noise[:, ::8, ::8], 8, 1), 8, 2)
    images = 80 + 90 * content[:, None, None, None]
    images = images + np.where(style[:, None, None, None] == 1, noise, coarse)
    index = store.index.assign(content=np.where(content, "light", "dark"), split="valid")
    pixels = np.repeat(images, 3, axis=3).astype(np.uint8)
    return replace(store, images=pixels, index=index)


def test_style_and_content_are_separated_each_by_its_measure(
    make_store: Callable[..., Store], measure: Measure
) -> None:
    store = striped(make_store)
    table = style_auc.separations(store, np.arange(60), measure, 0)
    found = table.set_index(["distance", "layer", "of"])["auc"]
    assert found["pixels", "", "content"] > 0.99
    assert 0.4 < found["pixels", "", "style"] < 0.75
    assert found["style", "conv2_1", "content"] > 0.8  # a random network sees the light
    assert set(table["of"]) == {"style", "content"}
    assert (table["low"] <= table["auc"]).all()
    assert (table["auc"] <= table["high"]).all()
    said = style_auc.verdict(table)
    assert said is not None
    assert said.metrics["pixels_auc_content"] == pytest.approx(found["pixels", "", "content"])


def test_a_measure_that_separates_nothing_is_reported_as_such() -> None:
    def table(style: float, low: float, pixels: float) -> pd.DataFrame:
        rows = [("style", "all", "style", style, low, 0.99), ("pixels", "", "style", pixels, 0, 1)]
        return pd.DataFrame(rows, columns=style_auc.COLUMNS)

    for frame, separates in (
        (table(0.8, 0.7, 0.5), 1.0),
        (table(0.53, 0.49, 0.4), 0.0),
        (table(0.55, 0.53, 0.4), 0.0),  # more than chance, and of no use
        (table(0.8, 0.7, 0.75), 0.0),  # pixels know as much
    ):
        said = style_auc.verdict(frame)
        assert said is not None
        assert said.metrics["separates"] == separates
        assert ("does NOT separate" in said.text) == (separates == 0)
    assert style_auc.verdict(pd.DataFrame(columns=style_auc.COLUMNS)) is None


def test_pairs_by_one_painter_are_left_out(
    make_store: Callable[..., Store], measure: Measure
) -> None:
    store = striped(make_store)
    rows = np.arange(60)
    plain = style_auc.separations(store, rows, measure, 0)["auc"]
    # One painter a style and light: of all pairs of one style, those of one light are his.
    names = store.index["content"] + store.index["label"]
    signed = replace(store, index=store.index.assign(artist=names))
    found = style_auc.separations(signed, rows, measure, 0)
    style = found[found["of"] == "style"].set_index(["distance", "layer"])["auc"]
    assert style["pixels", ""] < 0.3  # what is left of one style differs in light
    unknown = replace(store, index=store.index.assign(artist=None))
    assert style_auc.separations(unknown, rows, measure, 0)["auc"].equals(plain)


def joined(kind: str, experiment: str, group: str, style: np.ndarray, index: np.ndarray) -> Joined:
    count, random = len(style), np.random.default_rng(1)
    table = pd.DataFrame({name: random.random(count) for name in tables.MEASURES})
    table["cross_dissolve"] = index
    table["curvature"] = style[:, 4] - style[:, 0]
    rows = np.arange(count)
    pictures = np.zeros((count, 11, 2, 2, 3), np.uint8)
    floats = style.astype(np.float32)
    walk = Walk(table, floats, floats, pictures)
    return Joined("run", kind, Pairs(experiment, group, rows, rows[::-1]), walk)


def test_the_claim_is_a_correlation_of_linear_random_paths() -> None:
    u = np.linspace(-1, 1, 10)
    bend = RANDOM.normal(size=(60, 1))
    curves = 5 + bend * u**2
    against = joined("linear", "intra", "a", curves, (10 + bend * 3).ravel())
    other = joined("geodesic", "intra", "a", curves, -bend.ravel())
    found = tables.claim([against, other], "run", 0)
    assert found.value == pytest.approx(-1)
    assert found.high < -0.95
    noise = joined("linear", "intra", "a", curves, RANDOM.random(60))
    found = tables.claim([noise], "run", 0)
    assert found.low < 0 < found.high


def test_groups_have_shapes_and_tables_have_rows() -> None:
    u = np.linspace(-1, 1, 10)
    noise = RANDOM.normal(size=(2, 30, 10)) * 0.05
    both = [
        joined("linear", "intra", "a", 2 - u**2 + noise[0], np.full(30, 0.25)),
        joined("linear", "inter", "a – b", 2 + u**2 + noise[1], np.full(30, 0.5)),
    ]
    groups = tables.group_table(both, 0)
    assert groups["shape"].tolist() == ["horseshoe", "wave"]
    assert groups["cross_dissolve"].tolist() == [0.25, 0.5]
    ids = np.array([f"image{i}" for i in range(30)], dtype=object)
    paths = tables.path_table(both, ids)
    assert len(paths) == 60
    assert paths.iloc[0][["first", "second", "group"]].tolist() == ["image0", "image29", "a"]
    steps = tables.step_table(both)
    assert len(steps) == 600
    row = steps[(steps["group"] == "a") & (steps["pair"] == 3) & (steps["step"] == 7)]
    assert row["style"].item() == pytest.approx(both[0].walk.style[3, 6])


def test_between_by_within_is_a_ratio_of_means() -> None:
    curves = RANDOM.random((40, 10))
    both = [
        joined("linear", "intra", "a", curves, curves[:, 0]),
        joined("linear", "intra", "b", curves, curves[:, 0]),
        joined("linear", "inter", "a – b", curves, curves[:, 0]),
        joined("geodesic", "inter", "a – b", curves, curves[:, 0]),
    ]
    for one, level in zip(both, (1.0, 3.0, 5.0, 100.0), strict=True):
        one.walk.table["style"] = level
    found = tables.between_within(both, "run", 0)
    assert found.value == pytest.approx(2.5)
    assert 2.0 < found.low < 2.5 < found.high < 3.2
    assert np.isnan(tables.between_within(both[:2], "run", 0).value)


def test_changes_are_of_pairs() -> None:
    base = RANDOM.random(50) * 100
    change = tables.relative(base * 1.5, base, 0)
    assert change == pytest.approx((0.5, 0.5, 0.5))  # of each pair, so the interval is a point
    assert tables.interval(np.array([1.0, 3.0, np.nan]), 0).value == 2
    assert np.isnan(tables.interval(np.array([np.nan]), 0).value)
    curves = RANDOM.random((20, 10))
    both = [
        joined("linear", "compared", "any", curves, np.full(20, 0.5)),
        joined("geodesic", "compared", "any", curves, np.full(20, 0.25)),
    ]
    found = tables.kind_metrics(both, "run", 0)
    assert found["geodesic"]["cross_dissolve_change"] == pytest.approx(-0.5)
    assert "cross_dissolve_change" not in found["linear"]


@pytest.mark.filterwarnings("error")
def test_a_collapsed_model_has_no_shape_and_no_correlation() -> None:
    """All of its pictures are the same: nothing changes, and no curvature is known."""
    still = joined("linear", "intra", "a", np.zeros((5, 10)), np.full(5, 0.5))
    assert tables.group_table([still], 0)["shape"].tolist() == ["undecided"]
    assert np.isnan(tables.claim([still], "run", 0).value)
    assert np.isnan(tables.relative(np.zeros(5), np.zeros(5), 0).value)
