"""The Inception backbone: agreement with torch-fidelity's extractor, and its errors."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from latent_atlas.data.pixels import to_images
from latent_atlas.models import inception
from latent_atlas.models.backbones import BackboneError, load
from tests.models.inception_weights import random_weights


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(random_weights(), path)
    return path


@pytest.mark.parametrize("size", [(64, 64), (299, 299), (320, 300)])
def test_features_and_logits_are_those_of_torch_fidelity(file: Path, size: tuple[int, int]) -> None:
    backbone = load(f"inception@{file}")
    theirs = FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(file)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    with torch.no_grad():
        features = backbone.features(to_images(torch.from_numpy(pixels)))
        logits = backbone.logits(features)
        assert logits is not None
        expected, expected_logits = theirs(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(logits, expected_logits, rtol=1e-4, atol=1e-4)
        assert expected.std() > 0.1


def test_maps_have_the_names_of_the_network(file: Path) -> None:
    backbone = load(f"inception@{file}")
    assert backbone.map_names[:3] == ["first", "second", "Mixed_5b"]
    assert backbone.map_names[-1] == "Mixed_7c"
    with torch.no_grad():
        maps = backbone.maps(torch.rand(1, 3, 64, 64), ["first", "Mixed_7c"])
    assert maps["first"].shape == (1, 64, 73, 73)
    assert maps["Mixed_7c"].shape == (1, 2048, 8, 8)
    assert all(not isinstance(part, nn.Linear) for part in backbone.blocks.modules())


def test_another_size_is_refused(file: Path) -> None:
    with pytest.raises(BackboneError, match="takes images of 299 pixels only; found size 64"):
        load(f"inception@{file}").features(torch.rand(1, 3, 32, 32), 64)


def test_missing_and_wrong_weights_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(url: str, **_: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(BackboneError) as error:
        load("inception")
    for part in (inception.URL, "no network", "<name>@<file>"):
        assert part in str(error.value)
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BackboneError, match="backbone inception@"):
        load(f"inception@{tmp_path / 'other.pth'}")
