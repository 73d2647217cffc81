"""The mean image, the floor and the share between them: analytic cases."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from latent_atlas.data.store import Images, Store
from latent_atlas.metrics.explained import explained_share, mean_image_loss, pixel_entropy

TRAIN, VALID = [0, 1, 2], [3, 4]


def store_of(*values: int) -> Store:
    """Five images of 2×3 pixels and one channel, each of one value; the last two for validation."""
    images: Images = np.repeat(np.array(values, np.uint8), 6).reshape(5, 2, 3, 1)
    rows = {"train": np.array(TRAIN), "valid": np.array(VALID)}
    return cast(Store, SimpleNamespace(images=images, rows=rows.__getitem__, shape=(2, 3, 1)))


def run_of(likelihood: str, *losses: float) -> Any:
    history = pd.DataFrame({"valid_reconstruction": losses})
    return SimpleNamespace(
        run=SimpleNamespace(likelihood=likelihood), history=history, batch_size=2
    )


def test_loss_of_the_mean_image() -> None:
    store = store_of(0, 51, 102, 51, 153)  # mean 0.2; validation 0.2 and 0.6
    assert mean_image_loss(store, "gaussian", 1) == pytest.approx(6 * 0.4**2 / 2 / 2)
    assert mean_image_loss(store, "laplace", 2) == pytest.approx(6 * 0.4 / 2)
    losses = [-x * np.log(0.2) - (1 - x) * np.log(0.8) for x in (0.2, 0.6)]
    assert mean_image_loss(store, "bernoulli", 200) == pytest.approx(6 * np.mean(losses))


def test_a_pixel_that_is_black_in_training_has_a_finite_loss() -> None:
    loss = mean_image_loss(store_of(0, 0, 0, 255, 255), "bernoulli", 200)
    assert loss == pytest.approx(6 * np.log(256))


def test_the_floor_is_the_entropy_of_the_pixels() -> None:
    half = 127 / 255
    entropy = -half * np.log(half) - (1 - half) * np.log(1 - half)
    assert pixel_entropy(store_of(1, 2, 3, 255, 127)) == pytest.approx(6 * entropy / 2)
    assert pixel_entropy(store_of(1, 2, 3, 0, 255)) == 0


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "laplace"])
def test_explained_is_0_for_the_mean_image_and_1_at_the_floor(likelihood: str) -> None:
    store = store_of(0, 51, 102, 51, 153)
    values = explained_share(run_of(likelihood, 0.0), store)
    mean, floor = values["mean_image_loss"], values["floor"]
    assert (floor > 0) == (likelihood == "bernoulli")
    for loss, share in ((mean, 0.0), ((mean + floor) / 2, 0.5), (floor, 1.0)):
        found = explained_share(run_of(likelihood, 99.0, loss), store)["explained"]
        assert found == pytest.approx(share), "of the last epoch"
    assert explained_share(run_of(likelihood, 2 * mean), store)["explained"] < 0


def test_equal_images_have_no_share() -> None:
    values = explained_share(run_of("gaussian", 1.0), store_of(51, 51, 51, 51, 51))
    assert values["mean_image_loss"] == 0
    assert np.isnan(values["explained"])


def test_a_store_has_a_mean_image(make_store: Callable[..., Store]) -> None:
    store = make_store()
    mean = store.images[store.rows("train")].mean(0) / 255
    squares = np.square(store.images[store.rows("valid")] / 255 - mean).sum((1, 2, 3))
    assert mean_image_loss(store, "gaussian", 7) == pytest.approx(squares.mean() / 2)
