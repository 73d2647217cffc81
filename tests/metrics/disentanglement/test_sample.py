"""Samples: arrays that are refused, splits, and standardisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latent_atlas.metrics.disentanglement import Sample
from latent_atlas.metrics.disentanglement.sample import standardise


def arrays() -> dict[str, Any]:
    """Arguments of `Sample.of`: two latents, a continuous and a discrete factor."""
    rng = np.random.default_rng(3)
    factors = np.stack([rng.random(400), rng.integers(3, size=400)], axis=1)
    codes = factors @ [[1, 0.3], [0, 1]] + 0.1 * rng.standard_normal((400, 2))
    return {"codes": codes, "factors": factors, "kinds": ["continuous", "discrete"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((400, 0))}, "codes: found 0 columns"),
        ({"factors": np.zeros((400, 0)), "kinds": []}, "factors: found 0 columns"),
        ({"codes": np.zeros(400)}, "codes: found 1 dimensions"),
        ({"codes": np.zeros((399, 2))}, "found 399 codes and 400 rows of factors"),
        ({"kinds": ["continuous"]}, "found 1 kinds, expected one per factor: 2"),
        ({"kinds": ["continuous", "nominal"]}, r"kinds\[1\]: found 'nominal'"),
        ({"kinds": ["discrete", "discrete"]}, "factors column 0: declared discrete, but not all"),
        ({"names": ["x"]}, "found 1 names of 2 factors"),
    ],
)
def test_arrays_of_other_shapes_or_kinds_are_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Sample.of(**{**arrays(), **change})


@pytest.mark.parametrize(
    ("array", "place", "value", "message"),
    [
        ("codes", (7, 1), np.nan, "codes: found nan in row 7, column 1"),
        ("factors", (3, 0), np.inf, "factors: found inf in row 3, column 0"),
        ("factors", (slice(None), 1), 2, r"factors column 1: a single value \(2\)"),
    ],
)
def test_values_without_information_are_refused(
    array: str, place: Any, value: float, message: str
) -> None:
    changed = arrays()
    changed[array][place] = value
    with pytest.raises(ValueError, match=message):
        Sample.of(**changed)


def test_too_few_images_are_refused() -> None:
    few = {name: values[:99] for name, values in arrays().items()}
    with pytest.raises(ValueError, match="found 99 images, expected at least 100"):
        Sample.of(**few)


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"latents": 3}, "codes: found 2 columns, expected at least 3"),
        ({"factors": 3}, "factors: found 2 columns, expected at least 3"),
    ],
)
def test_a_metric_requires_latents_and_factors(needs: dict[str, int], message: str) -> None:
    sample = Sample.of(**arrays())
    sample.require(latents=2, factors=2)
    with pytest.raises(ValueError, match=message):
        sample.require(**needs)


def test_a_split_follows_from_the_seed_and_its_parts_are_disjoint() -> None:
    rows = np.arange(300.0)[:, None]
    sample = Sample.of(rows, rows, ["continuous"])
    train, test = sample.split(10_000, 5_000, 0)
    assert (len(train), len(test)) == (200, 100)
    assert sorted([*train.codes[:, 0], *test.codes[:, 0]]) == list(range(300))
    small, few = sample.split(20, 10, 0)
    assert (len(small), len(few)) == (20, 10)
    with pytest.raises(ValueError, match="cannot split 300 images in the proportion"):
        sample.split(300, 0, 0)
    again, other = sample.split(10_000, 5_000, 0)[0], sample.split(10_000, 5_000, 1)[0]
    assert (again.codes == train.codes).all()
    assert (other.codes != train.codes).any()


def test_a_factor_with_one_value_in_a_part_is_refused() -> None:
    rare = arrays()
    rare["factors"][:, 1] = np.arange(400) == 0
    with pytest.raises(ValueError, match="factors column 1: a single value among the"):
        Sample.of(**rare).split(10_000, 5_000, 0)


def test_standardise_zeroes_columns_that_are_constant_in_the_fitted_part() -> None:
    like = np.array([[0.0, 5.0], [2.0, 5.0]])
    np.testing.assert_array_equal(
        standardise(np.array([[3.0, 5.0], [1.0, 7.0]]), like), [[2.0, 0.0], [0.0, 0.0]]
    )
