"""The images to translate, their requests, their truth, and the real images beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latent_atlas.analysis.translation.attribute_classifier import scored_attributes
from latent_atlas.analysis.translation.cases import Cases, cases_of, required_columns
from latent_atlas.data import domains
from latent_atlas.data.store import Store, open_store
from latent_atlas.util.console import UserError
from tests.translations import TASK, Fake, identity, run_with, trained_with

EDIT = {"edit": {"color": "red"}}


def made(garments: Store, count: int = 15, values: Any = None, **run: Any) -> Cases:
    trained = trained_with(Fake(identity), run_with(**run), garments, values or {})
    scored = scored_attributes(garments, required_columns(trained), "x")
    return cases_of(trained, garments, scored, count, 0, open_store)


def of_attributes(garments: Store, count: int = 15) -> Cases:
    names = ["color", "sleeve_length"]
    return made(garments, count, model="stargan", attributes=names)


def test_two_domains_are_translated_in_both_directions(garments: Store) -> None:
    cases = made(garments, model="cyclegan", task=TASK)
    assert cases.names() == ["sleeve_length long", "sleeve_length short"]
    own = garments.index["sleeve_length"].to_numpy()[cases.rows]
    assert set(own[cases.changes == "sleeve_length long"]) == {"short"}
    assert set(own[cases.changes == "sleeve_length short"]) == {"long"}
    np.testing.assert_array_equal(cases.attributes[:, 0], own == "long")
    np.testing.assert_array_equal(cases.targets, 1 - cases.attributes)
    assert cases.truth is not None
    edited, legal = domains.edited(
        garments,
        cases.rows,
        [{"sleeve_length": "long" if one == "short" else "short"} for one in own],
        "x",
    )
    assert legal.all()
    np.testing.assert_array_equal(cases.truth, edited)


def test_each_attribute_is_changed_to_another_value_of_it(garments: Store) -> None:
    cases = of_attributes(garments)
    assert cases.names() == ["color", "sleeve_length"]
    for place, name in enumerate(cases.names()):
        inside = cases.changes == name
        other = 1 - place
        assert (cases.targets[inside, place] != cases.attributes[inside, place]).all()
        assert (cases.targets[inside, other] == cases.attributes[inside, other]).all()
        assert len(cases.real[name]) == inside.sum()
    assert (cases.requested.sum(1) == 1).all()
    np.testing.assert_array_equal((cases.expected != cases.own), cases.requested)


def test_what_cannot_be_drawn_is_no_case(garments: Store) -> None:
    cases = of_attributes(garments, 200)
    category = garments.index["category"].to_numpy()[cases.rows]
    inside = cases.changes == "sleeve_length"
    assert not {"skirts", "pants"} & set(category[inside])
    assert {"skirts", "pants"} & set(category[~inside])


def test_cases_are_validation_images_and_real_ones_are_not(garments: Store) -> None:
    cases = of_attributes(garments)
    assert set(garments.index["split"].iloc[cases.rows]) == {"valid"}
    train = {one.tobytes() for one in garments.images[garments.rows("train")]}
    assert all(one.tobytes() in train for one in cases.real["color"])


def test_the_pairs_of_an_edit_and_of_edges(garments: Store) -> None:
    cases = made(garments, model="pix2pix", pairs=EDIT)
    assert cases.truth is not None
    assert (cases.truth != cases.images).any((1, 2, 3)).all()
    assert "red" not in set(garments.index["color"].iloc[cases.rows])
    assert cases.attributes.shape == (len(cases.rows), 0)
    drawn = made(garments, model="pix2pix", pairs={"input": "edges"})
    np.testing.assert_array_equal(drawn.truth, garments.images[drawn.rows])
    np.testing.assert_array_equal(drawn.images, domains.edges(garments.images[drawn.rows]))
    assert not drawn.requested.any()


def test_images_that_are_not_drawn_have_no_truth(garments: Store) -> None:
    card = {**garments.card, "source": "photos"}
    photos = Store(garments.path, garments.images, garments.index, card)
    cases = made(photos, model="cyclegan", task=TASK)
    assert cases.truth is None
    assert len(cases.rows) > 10


def test_a_request_that_no_classifier_knows_is_one_line(garments: Store) -> None:
    index = garments.index.copy()
    index["color"] = index["color"].where(index["color"] != "red", "blue")
    store = Store(garments.path, garments.images, index, garments.card)
    with pytest.raises(UserError, match="color 'red' has fewer than 8 training images"):
        made(store, model="pix2pix", pairs=EDIT)


def test_the_choice_repeats(garments: Store) -> None:
    first, second = of_attributes(garments), of_attributes(garments)
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.targets, second.targets)
