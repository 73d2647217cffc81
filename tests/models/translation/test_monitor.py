"""Averages of weights, diversity, and the rule of collapse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_atlas.models.translation.monitor import (
    ExponentialAverage,
    average_of,
    averaged,
    collapse_reason,
    diversities,
    diversity,
)


def test_an_average_follows_the_weights() -> None:
    linear, norm = nn.Linear(2, 3), nn.BatchNorm1d(3)
    network = nn.Sequential(linear, norm)
    average = ExponentialAverage(network, 0.75)
    start = linear.weight.detach().clone()
    with torch.no_grad():
        linear.weight.add_(4)
        norm.get_buffer("running_mean").fill_(7)
    average.update(network)
    torch.testing.assert_close(average.network.get_parameter("0.weight"), start + 1)
    average.update(network)
    torch.testing.assert_close(average.network.get_parameter("0.weight"), start + 1.75)
    assert average.network.get_buffer("1.running_mean").tolist() == [7, 7, 7]
    assert not any(weight.requires_grad for weight in average.parameters())


def test_the_average_generates_where_there_is_one() -> None:
    network = nn.Linear(2, 2)
    assert average_of(network, 0) is None
    assert averaged(network, None) is network
    average = average_of(network, 0.9)
    assert average is not None
    assert averaged(network, average) is average.network


def test_diversity_is_the_mean_distance_of_all_pairs() -> None:
    """Three images of one colour, 0, 1 and 3: the distances are 1, 3 and 2, their mean is 2."""
    images = torch.tensor([0.0, 1.0, 3.0]).view(3, 1, 1, 1).expand(3, 2, 4, 5)
    assert float(diversity(images)) == pytest.approx(2)
    assert float(diversity(images[[1, 1]])) == 0


def test_terms_of_diversity() -> None:
    real = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    terms = diversities(real / 4, real, "_back")
    assert list(terms) == ["diversity_back", "data_diversity_back"]
    assert terms["diversity_back"].tolist() == [0.25, 0.25]
    assert terms["data_diversity_back"].tolist() == [1, 1]
    assert diversities(real[:1], real[:1]) == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, ""),
        ({"train_discriminator_accuracy": 0.9989}, ""),
        ({"train_discriminator_accuracy": 0.999}, "the discriminator's accuracy is 0.9990"),
        ({"valid_diversity": 0.05, "valid_data_diversity": 0.5}, ""),
        (
            {"valid_diversity": 0.0499, "valid_data_diversity": 0.5},
            "the diversity of the generated images is 0.0499, below 0.1 of the 0.5000 of real ones",
        ),
        (
            {
                "valid_diversity": 0.4,
                "valid_data_diversity": 0.5,
                "valid_diversity_back": 0.01,
                "valid_data_diversity_back": 0.5,
            },
            "the diversity of the generated images is 0.0100, below 0.1 of the 0.5000 of real ones",
        ),
    ],
)
def test_the_rule_of_collapse(row: dict[str, float], reason: str) -> None:
    assert collapse_reason(row) == reason
