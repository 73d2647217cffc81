"""Retrieval of images by their codes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from latent_atlas.data.store import Store
from latent_atlas.studies.charts import retrieval
from latent_atlas.studies.charts.retrieval import Items
from latent_atlas.training.checkpoint import TrainedRun
from tests.studies.charts.fakes import Maker, fake_run


def items(count: int, turn: float, seed: int) -> Items:
    """Two attributes, each along one of three directions, and a third that the codes do not hold.

    With `turn`, the directions are not the axes.
    """
    random = np.random.default_rng(seed)
    collar, sleeve = random.integers(0, 2, count), random.integers(0, 3, count)
    codes = np.stack([4 * collar, 4 * sleeve, 0 * collar], axis=1) + random.normal(
        0, 0.3, (count, 3)
    )
    rotation = np.linalg.qr(np.random.default_rng(9).normal(size=(3, 3)))[0] if turn else np.eye(3)
    values = {
        "collar": np.array(["round", "v"])[collar],
        "sleeve": np.array(["none", "short", "long"])[sleeve],
        "luck": np.array(["heads", "tails"])[random.integers(0, 2, count)],
    }
    return Items(codes @ rotation, values)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_search_by_the_whole_code_and_by_one_attribute(turn: float) -> None:
    labelled, searched = items(300, turn, 0), items(200, turn, 1)
    whole = retrieval.search_by_code(searched).set_index("same")
    assert whole.loc["collar", "precision"] == 1
    assert whole.loc["luck", "precision"] == pytest.approx(0.5, abs=0.06)
    assert whole.loc["collar", "chance"] == pytest.approx(0.5, abs=0.03)
    pairs = retrieval.search_by_attribute(labelled, searched).set_index(["same", "other"])
    assert pairs.loc[("collar", "sleeve"), "precision"] > 0.98
    assert pairs.loc[("collar", "sleeve"), "chance"] == pytest.approx(0.25, abs=0.04)
    # The codes do not hold luck: half of the results are right by chance.
    assert pairs.loc[("luck", "sleeve"), "precision"] == pytest.approx(0.5, abs=0.07)


def test_a_search_leaves_out_items_without_the_attribute() -> None:
    searched = items(200, 0.0, 1)
    present = searched.attributes["sleeve"] != "none"
    expected = searched.attributes["sleeve"][present]
    share = np.mean([(np.delete(expected, i) == value).mean() for i, value in enumerate(expected)])
    assert retrieval.search_by_code(searched).set_index("same").loc[
        "sleeve", "chance"
    ] == pytest.approx(share)


def test_an_attribute_that_varies_in_no_training_image_is_not_searched(make_store: Maker) -> None:
    store = make_store(count=40)
    train = (store.index["split"] == "train").to_numpy()
    collar = np.where(train, "round", np.array(["round", "v"])[np.arange(40) % 2])
    sleeve = np.array(["long", "short"])[np.arange(40) % 2]
    index = store.index.assign(collar=collar, sleeve=sleeve)
    card = {**store.card, "factors": ["collar", "sleeve"]}
    assert retrieval._attributes(Store(store.path, store.images, index, card)) == ["sleeve"]


def test_attributes_that_no_item_has_together_have_no_score() -> None:
    labelled = Items(
        np.random.default_rng(0).random((60, 3)),
        {"sleeve": np.array(["long", "short"] * 30), "legs": np.array(["wide", "tight"] * 30)},
    )
    nothing = ["none"] * 30
    searched = Items(
        labelled.codes,
        {
            "sleeve": np.array([*["long", "short"] * 15, *nothing]),
            "legs": np.array([*nothing, *["wide", "tight"] * 15]),
        },
    )
    assert (
        retrieval.search_by_attribute(labelled, searched)[["precision", "chance"]]
        .isna()
        .all(axis=None)
    )
    assert retrieval.search_by_code(searched)["precision"].notna().all()


def test_an_attribute_with_one_value_is_not_searched(make_store: Maker, tmp_path: Path) -> None:
    store = make_store(count=120)
    collar = np.array(["round", "v"])[np.arange(120) % 2]
    sleeve = np.array(["none", "short"])[np.arange(120) // 2 % 2]
    sides = np.array(["left", "right", "both"])[np.arange(120) % 3]
    index = store.index.assign(collar=collar, sleeve=sleeve, sides=sides)
    card = store.card | {"factors": ["x", "collar", "sleeve", "sides"]}
    store = Store(store.path, store.images, index, card)
    run = fake_run(3, lambda codes: codes)
    run = cast(
        TrainedRun,
        SimpleNamespace(**vars(run) | {"encode": lambda images: images.mean(axis=(1, 3))[:, 8:11]}),
    )
    table = retrieval.retrieval_table([run], store)
    assert set(table["same"]) == {"collar", "sides"}
    retrieval._plot_precision(table, run, store, "A study", tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000
