"""Attributes, domains and pairs of the images of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from latent_atlas.data import domains
from latent_atlas.data.domains import LEAST, attributes_of, domain, edges, edited, in_grey
from latent_atlas.data.store import Store
from latent_atlas.data.synthetic.registry import DRAWINGS
from latent_atlas.util.console import UserError
from tests.translations import draw_garments


@pytest.fixture(scope="module")
def garments(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return draw_garments(tmp_path_factory.mktemp("data"))


def with_column(store: Store, values: Sequence[str | None]) -> Store:
    """The store with a further column ``kind``."""
    return replace(store, index=store.index.assign(kind=np.array(values, object)))


def test_numbers_are_positions_of_sorted_values(garments: Store) -> None:
    found = attributes_of(garments, ["fit", "color"], "x")
    assert list(found.values) == ["fit", "color"]
    assert found.values["fit"] == ("loose", "normal", "tight")
    assert found.sizes == (3, 9)
    fits = np.array(found.values["fit"])[found.numbers[:, 0]]
    np.testing.assert_array_equal(fits, garments.index["fit"])


def test_an_image_without_an_attribute_is_not_complete(garments: Store) -> None:
    kinds: list[str | None] = ["a", "b"] * 120
    kinds[5] = None
    found = attributes_of(with_column(garments, kinds), ["kind"], "x")
    assert found.numbers[5, 0] == -1
    assert found.complete(np.array([4, 5, 6])).tolist() == [4, 6]


def test_an_attribute_that_is_not_there_is_one_line(garments: Store) -> None:
    with pytest.raises(UserError, match=r"^x: .* has no column 'colour'; did you mean 'color'\?"):
        attributes_of(garments, ["colour"], "x")
    with pytest.raises(UserError, match="has no column 'split'"):
        attributes_of(garments, ["split"], "x")


def test_a_number_is_no_attribute(garments: Store) -> None:
    with pytest.raises(UserError, match=r"hue of .* is a number, expected a column with few"):
        attributes_of(garments, ["hue"], "x")


def test_an_attribute_with_one_value_is_one_line(garments: Store) -> None:
    store = with_column(garments, ["plain"] * 240)
    with pytest.raises(UserError, match=r"kind has one value, 'plain' in .*, expected two or more"):
        attributes_of(store, ["kind"], "x")


def test_a_value_in_validation_only_is_one_line(garments: Store) -> None:
    split = garments.index["split"]
    kinds = ["new" if one == "valid" else "ab"[row % 2] for row, one in enumerate(split)]
    with pytest.raises(UserError, match="kind 'new' occurs in no training image of"):
        attributes_of(with_column(garments, kinds), ["kind"], "x")


def test_a_rare_value_is_one_line(garments: Store) -> None:
    kinds: list[str | None] = ["common"] * 240
    for row in garments.rows("train")[: LEAST - 1]:
        kinds[row] = "rare"
    with pytest.raises(UserError, match=r"kind 'rare' has 7 training images in .* expected 8"):
        attributes_of(with_column(garments, kinds), ["kind"], "x")


def test_a_domain_has_all_chosen_values(garments: Store) -> None:
    inside = domain(garments, {"fit": "loose", "sleeve_length": "none"}, "x")
    index = garments.index
    expected = (index["fit"] == "loose") & (index["sleeve_length"] == "none")
    np.testing.assert_array_equal(inside, expected)
    assert inside.any()


def test_a_domain_with_three_images_is_one_line(garments: Store) -> None:
    kinds: list[str | None] = ["many"] * 240
    for row in garments.rows("train")[:3]:
        kinds[row] = "few"
    with pytest.raises(UserError, match=r"x: kind few has 3 images in the train split of .* 8 or"):
        domain(with_column(garments, kinds), {"kind": "few"}, "x")


def test_a_domain_without_validation_images_is_one_line(garments: Store) -> None:
    split = garments.index["split"]
    kinds = ["seen" if one == "train" else "hidden" for one in split]
    with pytest.raises(UserError, match="x: kind seen has 0 images in the valid split"):
        domain(with_column(garments, kinds), {"kind": "seen"}, "x")


def test_a_value_that_is_not_there_is_one_line(garments: Store) -> None:
    with pytest.raises(UserError, match=r"^x\.color: found 'rad', .*; did you mean 'red'\?"):
        domain(garments, {"color": "rad"}, "x")


def test_an_edit_is_drawn_as_the_store_is(garments: Store) -> None:
    rows = np.arange(20)
    own = [{"color": one} for one in garments.index["color"].iloc[rows]]
    images, legal = edited(garments, rows, own, "x")
    assert legal.all()
    np.testing.assert_array_equal(images, garments.images[rows])
    images, _ = edited(garments, rows, [{"color": "red"}] * 20, "x")
    changed = (images != garments.images[rows]).any((1, 2, 3))
    np.testing.assert_array_equal(changed, garments.index["color"].iloc[rows] != "red")


def test_an_edit_of_grey_images_is_grey(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = draw_garments(tmp_path_factory.mktemp("grey"), 30, channels=1)
    rows = np.arange(30)
    own = [{"fit": one} for one in store.index["fit"]]
    images, _ = edited(store, rows, own, "x")
    np.testing.assert_array_equal(images, store.images)


def test_skirts_without_sleeves_stay(garments: Store) -> None:
    rows = np.arange(len(garments.index))
    images, legal = edited(garments, rows, [{"sleeve_length": "long"}] * len(rows), "x")
    without = garments.index["category"].isin(["skirts", "pants"]).to_numpy()
    np.testing.assert_array_equal(legal, ~without)
    np.testing.assert_array_equal(images[without], garments.images[without])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"colour": "red"}, r"x: found 'colour', expected one of category, color, .*'color'\?"),
        ({"color": "rad"}, r"x: found 'rad', expected one of beige, .*did you mean 'red'\?"),
    ],
)
def test_an_unknown_factor_or_value_is_one_line(
    garments: Store, change: dict[str, str], problem: str
) -> None:
    with pytest.raises(UserError, match=problem):
        edited(garments, np.arange(2), [change] * 2, "x")


def test_photos_cannot_be_drawn_again(garments: Store) -> None:
    photos = replace(garments, card={**garments.card, "source": "photos.zip"})
    with pytest.raises(UserError, match=r"x: .* comes from photos\.zip, but only drawn images"):
        edited(photos, np.arange(2), [{"color": "red"}] * 2, "x")


def test_edges_are_the_differences_to_the_next_pixels() -> None:
    images = np.full((1, 4, 5, 3), 100, np.uint8)
    images[0, 1, 2] = [100, 120, 90]
    drawn = edges(images)
    assert drawn.shape == images.shape
    expected = np.full((4, 5), 255)
    expected[[0, 1, 1], [2, 1, 2]] = 255 - 4 * 20  # above, to the left, and itself
    for channel in range(3):
        np.testing.assert_array_equal(drawn[0, :, :, channel], expected)
    steep = np.zeros((1, 2, 2, 1), np.uint8)
    steep[0, 1] = 255
    np.testing.assert_array_equal(edges(steep)[0, :, :, 0], [[0, 0], [255, 255]])


def test_grey_images_have_equal_channels_and_the_luma_of_the_original() -> None:
    images = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]], np.uint8)
    found = in_grey(images)
    assert found.shape == images.shape
    np.testing.assert_array_equal(found[0, 0, :, 0], [76, 150, 29, 9])
    assert (found == found[..., :1]).all()


def test_every_drawing_can_be_edited_by_its_categories() -> None:
    assert DRAWINGS["garments"].values["fit"] == ("loose", "normal", "tight")
    assert domains.LEAST > 5  # as many as the neighbours of precision and recall
