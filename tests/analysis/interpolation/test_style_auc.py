"""Validation of the style loss on images of known style and content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from latent_atlas.analysis.interpolation.style_auc import (
    COLUMNS,
    sample_labelled_rows,
    style_auc_table,
    validate_style_loss,
)
from latent_atlas.data.store import Store
from latent_atlas.metrics.style import StyleMeasure
from latent_atlas.models import backbones

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def style_measure() -> StyleMeasure:
    return StyleMeasure(backbones.load("vgg19_random"), {"conv1_1": 1.0, "conv2_1": 1.0}, 16)


def striped(make_store: Callable[..., Store]) -> Store:
    """Noise of two textures (style) and two brightnesses (content)."""
    store = make_store(count=60, height=16, width=16, classes=2)
    style, content = np.arange(60) % 2, np.arange(60) // 2 % 2
    noise = RANDOM.integers(-40, 41, (60, 16, 16, 1))
    coarse = np.repeat(np.repeat(noise[:, ::8, ::8], 8, 1), 8, 2)
    images = 80 + 90 * content[:, None, None, None]
    images = images + np.where(style[:, None, None, None] == 1, noise, coarse)
    index = store.index.assign(content=np.where(content, "light", "dark"), split="valid")
    pixels = np.repeat(images, 3, axis=3).astype(np.uint8)
    return replace(store, images=pixels, index=index)


def test_the_auc_of_each_distance_is_measured_for_style_and_content(
    make_store: Callable[..., Store], style_measure: StyleMeasure
) -> None:
    store = striped(make_store)
    table = style_auc_table(store, np.arange(60), style_measure, 0)
    auc = table.set_index(["distance", "layer", "label"])["auc"]
    assert auc["pixels", "", "content"] > 0.99
    assert 0.4 < auc["pixels", "", "style"] < 0.75
    assert auc["style", "conv2_1", "content"] > 0.8  # a random network depends on brightness
    assert set(table["label"]) == {"style", "content"}
    assert (table["low"] <= table["auc"]).all()
    assert (table["auc"] <= table["high"]).all()
    validation = validate_style_loss(table)
    assert validation is not None
    pixels = validation.metrics["pixels_auc_content"]
    assert pixels == pytest.approx(auc["pixels", "", "content"])


def test_a_style_loss_without_separation_is_reported_as_such() -> None:
    def table(style: float, low: float, pixels: float) -> pd.DataFrame:
        rows = [("style", "all", "style", style, low, 0.99), ("pixels", "", "style", pixels, 0, 1)]
        return pd.DataFrame(rows, columns=COLUMNS)

    for frame, separates in (
        (table(0.8, 0.7, 0.5), 1.0),
        (table(0.53, 0.49, 0.4), 0.0),
        (table(0.55, 0.53, 0.4), 0.0),  # better than chance, but too little to be useful
        (table(0.8, 0.7, 0.75), 0.0),  # no better than pixels
    ):
        validation = validate_style_loss(frame)
        assert validation is not None
        assert validation.metrics["separates"] == separates
        assert ("does NOT separate" in validation.text) == (separates == 0)
    assert validate_style_loss(pd.DataFrame(columns=COLUMNS)) is None


def test_pairs_by_one_painter_are_left_out(
    make_store: Callable[..., Store], style_measure: StyleMeasure
) -> None:
    store = striped(make_store)
    rows = np.arange(60)
    plain = style_auc_table(store, rows, style_measure, 0)["auc"]
    # One painter per style and brightness: pairs of one style and one brightness are theirs.
    names = store.index["content"] + store.index["label"]
    signed = replace(store, index=store.index.assign(artist=names))
    table = style_auc_table(signed, rows, style_measure, 0)
    style = table[table["label"] == "style"].set_index(["distance", "layer"])["auc"]
    assert style["pixels", ""] < 0.3  # the remaining pairs of one style differ in brightness
    unknown = replace(store, index=store.index.assign(artist=None))
    assert style_auc_table(unknown, rows, style_measure, 0)["auc"].equals(plain)


def test_images_without_labels_give_no_sample(make_store: Callable[..., Store]) -> None:
    assert not len(sample_labelled_rows(make_store(classes=0), 10, 0))
