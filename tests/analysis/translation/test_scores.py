"""The scores: an oracle, doing nothing, intervals, and what they do not depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from latent_atlas.analysis.translation import baselines, scores
from latent_atlas.analysis.translation.attribute_classifier import AttributeClassifier, AttributeNet
from latent_atlas.analysis.translation.cases import Cases
from latent_atlas.analysis.translation.scores import Outputs, Scorer, interval
from latent_atlas.metrics import paired
from tests.translations import tiny_backbone

N, SIDE = 12, 16
VALUES = {"shade": ("dark", "light"), "side": ("left", "right")}


def picture(numbers: np.ndarray) -> np.ndarray:
    """Images with a bar on the side of the second number, in the shade of the first."""
    images = np.full((len(numbers), SIDE, SIDE, 3), 128, np.uint8)
    images += np.arange(len(numbers), dtype=np.uint8)[:, None, None, None]
    for image, (shade, side) in zip(images, numbers, strict=True):
        image[:, 12:] = image[:, 12:] if side == 0 else 255 * shade
        image[:, :4] = image[:, :4] if side == 1 else 255 * shade
    return images


class Reader(AttributeNet):
    """A network that reads shade and side from the bars without any training."""

    def __init__(self) -> None:
        super().__init__(3, (2, 2))

    def forward(self, images: Tensor) -> list[Tensor]:
        left, right = images[..., :4].mean((1, 2, 3)), images[..., 12:].mean((1, 2, 3))
        contrast = torch.stack([(left - 0.5).abs(), (right - 0.5).abs()], 1)
        shade = torch.where(contrast[:, 0] > contrast[:, 1], left, right)
        return [torch.stack([0.5 - shade, shade - 0.5], 1), contrast]


@pytest.fixture
def cases() -> Cases:
    """The shade is to be changed; the side stays."""
    own = np.stack([np.arange(N) % 2, np.arange(N) // 2 % 2], 1)
    expected = own.copy()
    expected[:, 0] = 1 - own[:, 0]
    requested = np.zeros((N, 2), np.bool_)
    requested[:, 0] = True
    truth = picture(expected)
    return Cases(
        changes=np.where(own[:, 0] == 1, "shade dark", "shade light"),
        words=["shade"] * N,
        images=picture(own),
        rows=np.arange(N),
        attributes=own,
        targets=expected,
        own=own,
        expected=expected,
        requested=requested,
        truth=truth,
        real={"shade light": truth[own[:, 0] == 0], "shade dark": truth[own[:, 0] == 1]},
    )


def scorer(cases: Cases, seed: int = 0) -> Scorer:
    classifier = AttributeClassifier(VALUES, Reader().eval(), {"shade": 1.0, "side": 1.0})
    return Scorer(cases, classifier, tiny_backbone(), 32, 100, seed)


def of_all(table: pd.DataFrame) -> Mapping[str, float]:
    chosen = table[table["attribute"] == scores.ALL]
    return dict(zip(chosen["metric"], chosen["value"], strict=True))


def test_an_oracle_has_no_error_and_full_success(cases: Cases) -> None:
    assert cases.truth is not None
    found = of_all(scorer(cases).table("oracle", Outputs(cases.truth, back=cases.images)))
    for name in ("l1", "changed_l1", "cycle_l1"):
        assert found[name] == 0, name
    assert found["feature_distance"] == pytest.approx(0, abs=1e-12)
    assert found["changed_feature_distance"] == pytest.approx(0, abs=1e-12)
    assert found["psnr"] == found["changed_psnr"] == 100
    assert found["changed_ssim"] == pytest.approx(1)
    assert found["success"] == found["preservation"] == found["preserved_side"] == 1
    assert "preserved_shade" not in found
    assert found["frechet_tiny"] < 1e-6


def test_doing_nothing_wins_nothing_inside_the_changed_pixels(cases: Cases) -> None:
    found = of_all(scorer(cases).table("nothing", Outputs(cases.images)))
    assert found["success"] == 0
    assert found["preservation"] == 1
    assert found["l1"] < 0.3
    assert found["changed_l1"] == pytest.approx(1)
    assert found["changed_psnr"] == pytest.approx(0, abs=1e-9)
    # The changed pixels of the input in the truth are the input.
    assert found["changed_feature_distance"] == pytest.approx(found["feature_distance"])


def test_a_constant_preserves_by_chance_and_errs_everywhere(cases: Cases) -> None:
    constant = np.repeat(picture(np.array([[1, 1]])), N, axis=0)
    found = of_all(scorer(cases).table("constant", Outputs(constant)))
    assert found["success"] == found["preserved_side"] == 0.5
    assert 0 < found["changed_l1"] < 1


def test_the_changes_have_rows_of_their_own(cases: Cases) -> None:
    table = scorer(cases).table("nothing", Outputs(cases.images))
    assert list(table.columns) == list(scores.COLUMNS)
    assert list(table["attribute"].unique()) == ["shade light", "shade dark", scores.ALL]
    l1 = table[table["metric"] == "l1"].set_index("attribute")["value"]
    assert l1["all"] == pytest.approx((l1["shade light"] + l1["shade dark"]) / 2)


def test_the_scores_do_not_depend_on_the_order_of_models_and_repeat(cases: Cases) -> None:
    assert cases.truth is not None
    first, second = scorer(cases), scorer(cases)
    own = first.table("a", Outputs(cases.images))
    second.table("b", Outputs(cases.truth))
    pd.testing.assert_frame_equal(own, second.table("a", Outputs(cases.images)))


def test_intervals_contain_the_value_and_narrow_with_more_images(cases: Cases) -> None:
    table = scorer(cases).table("nothing", Outputs(cases.images))
    known = table.dropna(subset=["low"])
    assert len(known) > 20
    assert (known["low"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["high"] + 1e-9).all()
    random = np.random.default_rng(0)
    widths = []
    for count in (20, 2000):
        value, low, high = interval(random.random(count), 500, 0)
        assert low < value < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
    assert interval(np.ones(7), 50, 0) == (1.0, 1.0, 1.0)


def test_without_a_truth_attributes_cycle_and_distribution_remain(cases: Cases) -> None:
    blind = replace(cases, truth=None)
    found = of_all(scorer(blind).table("nothing", Outputs(cases.images, back=cases.images)))
    assert {"success", "preservation", "cycle_l1", "kid_tiny", "coverage"} <= set(found)
    assert not {"l1", "changed_l1", "feature_distance"} & set(found)


def test_an_image_that_the_request_does_not_change_counts_for_the_whole_only(cases: Cases) -> None:
    assert cases.truth is not None
    truth = cases.truth.copy()
    truth[0] = cases.images[0]
    output = cases.truth.copy()
    found = of_all(scorer(replace(cases, truth=truth)).table("oracle", Outputs(output)))
    assert found["l1"] > 0
    assert found["changed_l1"] == 0
    assert found["changed_feature_distance"] == pytest.approx(0, abs=1e-12)


def test_diversity_is_the_mean_over_pairs_of_outputs(cases: Cases) -> None:
    shades = [0, 51, 255]
    flat = [np.full_like(cases.images, shade) for shade in shades]
    variants = np.stack(flat, axis=1)
    found = of_all(scorer(cases).table("many", Outputs(flat[0], variants=variants)))
    assert found["diversity_l1"] == pytest.approx((51 + 255 + 204) / 3 / 255)
    same = np.repeat(flat[1][:, None], 3, axis=1)
    found = of_all(scorer(cases).table("one", Outputs(flat[0], variants=same)))
    assert found["diversity_l1"] == 0
    assert found["diversity_feature_distance"] == pytest.approx(0, abs=1e-12)


def test_the_headline_is_the_row_of_all_with_its_interval(cases: Cases) -> None:
    table = scorer(cases).table("nothing", Outputs(cases.images))
    values = scores.headline(table, "nothing")
    assert values["success"] == values["success_low"] == values["success_high"] == 0
    assert values["changed_l1_low"] <= values["changed_l1"] <= values["changed_l1_high"]
    assert "frechet_tiny" in values
    assert "frechet_tiny_low" not in values
    assert scores.headline(table, "other") == {}


def test_the_nearest_image_has_the_request_and_most_other_attributes(cases: Cases) -> None:
    numbers = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    pool = baselines.Pool(picture(numbers), picture(numbers), numbers)
    outputs = baselines.nearest_images(cases, pool)
    found = of_all(scorer(cases).table("nearest", Outputs(outputs)))
    assert found["success"] == found["preservation"] == 1
    # Without the right combination the request counts more than the rest.
    pool = baselines.Pool(pool.inputs[:3], pool.outputs[:3], numbers[:3])
    outputs = baselines.nearest_images(cases, pool)
    found = of_all(scorer(cases).table("nearest", Outputs(outputs)))
    assert found["success"] == 1
    assert found["preservation"] < 1


def test_the_nearest_of_equal_attributes_is_nearest_in_pixels(cases: Cases) -> None:
    assert cases.truth is not None
    far = 255 - cases.images
    pool = baselines.Pool(
        np.concatenate([far, cases.images]),
        np.concatenate([far, cases.truth]),
        np.concatenate([cases.expected, cases.expected]),
    )
    np.testing.assert_array_equal(baselines.nearest_images(cases, pool), cases.truth)
    nothing = replace(cases, requested=np.zeros_like(cases.requested))
    np.testing.assert_array_equal(baselines.nearest_images(nothing, pool), cases.truth)


class PixelCodes:
    """A stand-in for a VAE, whose codes are the pixels."""

    def encode(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        return codes.clip(0, 255).round().astype(np.uint8).reshape(-1, SIDE, SIDE, 3)


def test_an_attribute_vector_is_the_difference_of_two_mean_codes(cases: Cases) -> None:
    train = picture(np.array([[0, 0], [1, 0], [0, 0], [1, 0]]))
    numbers = np.array([[0, 0], [1, 0], [0, 0], [1, 0]])
    outputs = baselines.attribute_vector_images(cases, PixelCodes(), train, numbers)  # type: ignore[arg-type]
    lighter = train[[1, 3]].astype(float).mean(0) - train[[0, 2]].astype(float).mean(0)
    for case, image in enumerate(cases.images):
        moved = image + lighter * (1 if cases.own[case, 0] == 0 else -1)
        np.testing.assert_array_equal(outputs[case], moved.clip(0, 255).round())


def test_written_scores_are_tidy(cases: Cases) -> None:
    table = scorer(cases).table("nothing", Outputs(cases.images))
    text = scores.written([table]).decode()
    assert text.startswith("model,attribute,metric,value,low,high\nnothing,shade light,l1,")
    assert len(text.splitlines()) == len(table) + 1


def test_the_masks_of_the_scores_are_those_of_input_and_truth(cases: Cases) -> None:
    assert cases.truth is not None
    masks = paired.changed_pixels(cases.images, cases.truth)
    assert masks[0].sum() == SIDE * 4
