"""One-hot vectors, cross-entropy and accuracy of attributes, worked by hand."""

from __future__ import annotations

import math

import torch

from latent_atlas.models.translation.attributes import (
    attribute_accuracy,
    attribute_entropy,
    one_hot,
    other_values,
)

VALUES = torch.tensor([[1, 0], [0, 2]])
LOGITS = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 1.0, 2.0]])


def test_one_hot_vectors_are_concatenated() -> None:
    found = one_hot(VALUES, (2, 3))
    assert found.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert found.dtype == torch.float32


def test_the_cross_entropy_is_the_sum_over_attributes() -> None:
    first = math.log(1 + math.exp(-1)) + math.log(3)
    second = math.log(1 + math.exp(3)) + math.log(1 + math.exp(1) + math.exp(2)) - 2
    found = attribute_entropy(LOGITS, VALUES, (2, 3))
    torch.testing.assert_close(found, torch.tensor([first, second]))


def test_the_accuracy_is_the_share_of_the_attributes() -> None:
    assert attribute_accuracy(LOGITS, VALUES, (2, 3)).tolist() == [1.0, 0.5]


def test_other_values_are_uniform_among_the_others() -> None:
    values = torch.stack([torch.arange(3000) % 2, torch.arange(3000) % 3], 1)
    found = other_values(values, (2, 3))
    assert torch.equal(found[:, 0], 1 - values[:, 0])
    shifts = (found[:, 1] - values[:, 1]) % 3
    counts = torch.bincount(shifts, minlength=3).tolist()
    assert counts[0] == 0
    assert abs(counts[1] - 1500) < 150
