"""The attribute classifier: its columns, accuracy and determinism."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from latent_atlas.analysis.translation.attribute_classifier import (
    AttributeClassifier,
    scored_attributes,
    train_attribute_classifier,
)
from latent_atlas.data.domains import LEAST, Attributes
from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError


def flat_images(numbers: np.ndarray) -> np.ndarray:
    """Images whose brightness is the number, and whose left half is inverted by its parity."""
    images = np.full((len(numbers), 16, 16, 1), 60, np.uint8)
    images += (40 * numbers).astype(np.uint8)[:, None, None, None]
    images[:, :, :8] = np.where(numbers[:, None, None, None] % 2, 255, images[:, :, :8])
    return images


def trained(epochs: int = 40) -> AttributeClassifier:
    numbers = np.arange(160) % 4
    both = np.stack([numbers, numbers % 2], 1)
    both[0, 1] = -1  # an image without the second attribute
    attributes = Attributes({"shade": ("a", "b", "c", "d"), "half": ("no", "yes")}, both)
    rows = np.arange(160)
    return train_attribute_classifier(attributes, flat_images(numbers), rows, rows, epochs, 0)


def test_the_classifier_learns_every_attribute() -> None:
    classifier = trained()
    assert set(classifier.accuracy) == {"shade", "half"}
    assert min(classifier.accuracy.values()) > 0.95
    images = flat_images(np.array([3, 0]))
    assert classifier.predict(images).tolist() == [[3, 1], [0, 0]]
    shade, half = classifier.probabilities(images)
    assert shade.shape == (2, 4)
    np.testing.assert_allclose(half.sum(1), 1, rtol=1e-6)


def test_the_training_repeats_to_the_bit_apart_from_the_global_generator() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = trained(1).network.state_dict()
    assert torch.equal(torch.rand(3), expected)
    second = trained(1).network.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_scored_columns_begin_with_the_required_ones(garments: Store) -> None:
    found = scored_attributes(garments, ["pattern"], "runs.translation.x")
    # `category` is the label; numbers such as `hue` are no attributes.
    assert list(found.values) == [
        "pattern",
        "category",
        "color",
        "length",
        "sleeve_length",
        "neckline",
        "fit",
    ]
    length = garments.index["length"].to_numpy()
    place = list(found.values).index("length")
    np.testing.assert_array_equal(found.numbers[:, place] < 0, length == "3-4")  # few pants
    assert found.values["fit"] == ("loose", "normal", "tight")


def test_rare_values_are_unknown_and_a_column_of_one_value_is_refused(garments: Store) -> None:
    index = garments.index.copy()
    rare = garments.rows("train")[: LEAST - 1]
    index["kind"] = "plain"
    index.loc[rare, "kind"] = "fancy"
    card = {**garments.card, "attributes": ["kind"]}
    store = replace(garments, index=index, card=card)
    assert "kind" not in scored_attributes(store, [], "x").values
    with pytest.raises(UserError, match=r"x: kind of .* has 1 values with 8 or more training"):
        scored_attributes(store, ["kind"], "x")
