"""The networks of DeepCluster: sizes, edge filters, and limits of the random crops."""

from __future__ import annotations

import pytest
import torch

from latent_atlas.models.cluster_net import ClusterNet, Name, Sobel, augment, new_head


@pytest.mark.parametrize("network", ["alexnet", "vgg"])
@pytest.mark.parametrize("sobel", [False, True])
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (96, 64)])
def test_any_size_gives_features(network: Name, sobel: bool, size: tuple[int, int]) -> None:
    net = ClusterNet(network, 0.1, 24, sobel).eval()
    features = net(torch.randn(3, 3, *size))
    assert features.shape == (3, 24)
    assert (features < 0).any(), "features come before the last ReLU"
    assert new_head(24, 7)(features.relu()).shape == (3, 7)


@pytest.mark.parametrize("network", ["alexnet", "vgg"])
def test_widths_are_the_published_ones(network: Name) -> None:
    net = ClusterNet(network, 1.0, 16, sobel=False)
    maps = [m.out_channels for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert (
        maps == [96, 256, 384, 384, 256]
        if network == "alexnet"
        else maps[::2] == maps[1::2] == [64, 128, 256, 512]
    )


def test_the_sobel_filter_responds_to_edges_and_not_to_colour() -> None:
    flat = torch.rand(2, 3, 1, 1).expand(-1, -1, 8, 8)
    assert Sobel()(flat).abs().max() < 1e-6
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    across, down = Sobel()(ramp)[0]
    assert torch.allclose(across[:, 1:-1].abs(), torch.tensor(8.0))
    assert down.abs().max() < 1e-5
    tinted = ramp + torch.tensor([0.3, -0.1, -0.2]).view(3, 1, 1)
    assert torch.allclose(Sobel()(tinted), Sobel()(ramp), atol=1e-5)
    assert not list(Sobel().parameters())


def test_features_do_not_depend_on_the_batch() -> None:
    net = ClusterNet("alexnet", 0.1, 16, sobel=True).eval()
    images = torch.randn(6, 3, 32, 32)
    single = torch.cat([net(image[None]) for image in images])
    assert torch.allclose(net(images), single, atol=1e-5)


def test_crops_are_half_of_the_sides_or_more_and_half_of_them_mirrored() -> None:
    ramp = torch.linspace(0, 1, 32).expand(400, 1, 32, 32).contiguous()
    crops = augment(ramp, torch.Generator().manual_seed(0))
    assert crops.min() >= -1e-6, "interpolation rounds"
    assert crops.max() <= 1 + 1e-6
    slope = (crops[:, 0, :, -1] - crops[:, 0, :, 0])[:, 0]
    assert 0.4 < (slope < 0).float().mean() < 0.6
    assert slope.abs().min() > 0.45, "half of the sides or more"
    assert slope.abs().max() <= 1 + 1e-6
    assert slope.abs().std() > 0.1
    again = augment(ramp, torch.Generator().manual_seed(0))
    assert torch.equal(crops, again)
