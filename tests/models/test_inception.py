"""The network of FID is torch-fidelity's, on the same weights, file and images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from latent_atlas.data.pixels import to_images
from latent_atlas.models import backbones, inception
from latent_atlas.models.backbones import BackboneError, InceptionBackbone, load


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under which every layer matters."""
    torch.manual_seed(0)
    net = inception.network()
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.3)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(net.state_dict(), path)
    return path


@pytest.mark.parametrize("size", [(64, 64), (299, 299), (320, 300)])
def test_features_and_logits_are_those_of_torch_fidelity(file: Path, size: tuple[int, int]) -> None:
    ours = load(f"inception@{file}")
    assert isinstance(ours, InceptionBackbone)
    names = ["2048", "logits_unbiased"]
    theirs = FeatureExtractorInceptionV3(
        "inception", names, feature_extractor_weights_path=str(file)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    with torch.no_grad():
        features = ours.features(to_images(torch.from_numpy(pixels)))
        expected, logits = theirs(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(ours.logits(features), logits, rtol=1e-3, atol=1e-3)
        assert expected.std() > 0.1


def test_the_size_is_part_of_the_definition(file: Path) -> None:
    with pytest.raises(BackboneError, match="inception sees 299 pixels; set size to that"):
        load(f"inception@{file}").features(torch.rand(1, 3, 32, 32), 64)


def test_missing_and_wrong_weights_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(url: str, **_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(BackboneError) as error:
        load("inception")
    for part in (backbones.INCEPTION_URL, "no network", "<architecture>@<path>"):
        assert part in str(error.value)
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BackboneError, match="backbone inception@"):
        load(f"inception@{tmp_path / 'other.pth'}")
