"""Evaluation of mixed scenes: the compared images, the metrics, and settings that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from latent_atlas.analysis.scene_mixing.evaluator import KINDS, MixingEvaluator, distance_names
from latent_atlas.config.schema import Mixing
from latent_atlas.data.neighbour_table import NeighbourTable
from latent_atlas.data.store import Store
from latent_atlas.models import backbones
from latent_atlas.models.backbones import Backbone
from latent_atlas.util.console import FieldError


def settings_of(mixes: int, **changes: object) -> Mixing:
    values = {
        "mixes": mixes,
        "tau": 0.5,
        "classifier_images": 60,
        "backbone": "efficientnet_lite0",
        "size": 32,
        "examples": 2,
    }
    return Mixing.model_validate(values | changes)


def load_mean_colour(name: str, seed: int) -> Backbone:
    """A backbone of the size of Inception, with the mean colour as features."""
    embed = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    mean = (0.5, 0.5, 0.5)
    return Backbone(name, [("first", nn.Identity())], embed, mean, mean, 299, fixed_size=True)


def test_as_many_real_images_are_compared_as_there_are_mixes(
    scene_store: Store, scene_neighbours: NeighbourTable
) -> None:
    valid = len(scene_store.rows("valid"))
    assert valid < 30 < len(scene_store.rows("train"))
    evaluator = MixingEvaluator(scene_store, settings_of(30), 0, scene_neighbours)
    assert len(evaluator._real) == len(evaluator.mixes["near"].references) == valid


def test_too_few_mixes_or_images_are_refused(
    scene_store: Store, scene_neighbours: NeighbourTable
) -> None:
    with pytest.raises(FieldError, match=r"^mixes: found 5, .* expected more than 5 of each"):
        MixingEvaluator(scene_store, settings_of(5), 0, scene_neighbours)
    scene_store.index.loc[scene_store.rows("valid")[3:], "split"] = "test"
    with pytest.raises(FieldError, match=r"with 3 validation and .* larger share .* validation"):
        MixingEvaluator(scene_store, settings_of(12), 0, scene_neighbours)


def test_true_images_score_best_and_pasted_images_next(
    scene_store: Store, scene_neighbours: NeighbourTable
) -> None:
    evaluator = MixingEvaluator(scene_store, settings_of(12), 0, scene_neighbours)
    for kind in KINDS:
        truth = evaluator.truth[kind]
        assert truth is not None
        best = evaluator.measure_pictures(kind, truth.images)
        pasted = evaluator.measure_pictures(kind, evaluator.paste(kind))
        grey = evaluator.measure_pictures(kind, np.full_like(truth.images, 128))
        assert best[f"{kind}_psnr"] == 100
        assert pasted[f"{kind}_psnr"] > grey[f"{kind}_psnr"]
        distance = f"{kind}_frechet_efficientnet_lite0"
        assert best[distance] < grey[distance]
        assert best.keys() == pasted.keys()


def test_only_inception_features_give_a_fid() -> None:
    assert distance_names("inception") == distance_names("inception@weights.pth") == ("fid", "kid")
    name = "efficientnet_lite0"
    assert distance_names(name) == (f"frechet_{name}", f"kid_{name}")


def test_inception_at_another_size_than_its_own_is_refused(
    scene_store: Store, scene_neighbours: NeighbourTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load", load_mean_colour)
    settings = settings_of(20, backbone="inception", size=64)
    with pytest.raises(FieldError, match=r"^backbone: inception takes images of 299 pixels only"):
        MixingEvaluator(scene_store, settings, 0, scene_neighbours)


def test_fid_of_fewer_than_2048_images_is_refused(
    scene_store: Store, scene_neighbours: NeighbourTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load", load_mean_colour)
    settings = settings_of(20, backbone="inception", size=299)
    with pytest.raises(FieldError, match=r"^mixes: found \d+ mixed .* at least 2048 for FID"):
        MixingEvaluator(scene_store, settings, 0, scene_neighbours)


def test_an_unknown_backbone_is_refused(
    scene_store: Store, scene_neighbours: NeighbourTable
) -> None:
    with pytest.raises(FieldError, match=r"^backbone: no backbone 'vgg99'"):
        MixingEvaluator(scene_store, settings_of(20, backbone="vgg99"), 0, scene_neighbours)
