"""Layers: initial weights, normalisation and activation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from latent_atlas.models.base import Shape
from latent_atlas.models.build import new_decoder, new_encoder
from latent_atlas.models.networks.layers import PUBLISHED, Decorrelation, Layers

MODERN = Layers(he=True, normalised=True, smooth=True, decorrelated=True, maps=16)
NETWORKS = ["conv", "conv4_quarter", "broadcast_small", "mlp", "dense"]


def test_published_layers_draw_nothing_and_have_relu() -> None:
    layer = nn.Conv2d(3, 8, 3)
    weights, state = layer.weight.clone(), torch.get_rng_state()
    PUBLISHED.initialise(layer)
    assert torch.equal(layer.weight, weights)
    assert torch.equal(torch.get_rng_state(), state)
    inputs = torch.randn(2, 8, 4, 4)
    assert torch.equal(PUBLISHED.activation(8)(inputs), inputs.relu())


def test_he_weights_preserve_the_variance_of_rectified_inputs() -> None:
    layer = nn.Linear(1000, 1000)
    Layers(he=True).initialise(layer)
    outputs = layer(torch.randn(100, 1000).relu())
    assert float(outputs.var().detach()) == pytest.approx(1, rel=0.1)
    assert not layer.bias.any()


@pytest.mark.parametrize("channels", [1, 4, 8, 16, 128])
def test_normalised_maps_have_unit_variance_before_the_activation(channels: int) -> None:
    norm = Layers(normalised=True).activation(channels)[0]  # type: ignore[index]
    outputs = norm(5 + 3 * torch.randn(4, channels, 6, 6))
    torch.testing.assert_close(outputs.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        outputs.var((1, 2, 3), correction=0), torch.ones(4), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(32, 32, 1), (64, 32, 3)])
def test_every_network_can_be_built_of_modern_layers(name: str, shape: Shape) -> None:
    encoder, decoder = new_encoder(name, shape, 8, 2, MODERN), new_decoder(name, shape, 8, MODERN)
    codes, _ = encoder(torch.rand(3, shape[2], *shape[:2]))
    outputs = decoder(codes)
    assert outputs.shape == (3, shape[2], *shape[:2])
    outputs.sum().backward()
    assert all(weight.grad is not None for weight in decoder.parameters())


@pytest.mark.parametrize("name", ["conv", "conv4_quarter", "broadcast_small"])
def test_the_start_at_the_mean_image_survives_modern_layers(name: str) -> None:
    torch.manual_seed(0)
    decoder = new_decoder(name, (32, 32, 3), 8, MODERN)
    decoder.start_at(torch.tensor([-3.0, 0.0, 3.0]).view(3, 1, 1).expand(3, 32, 32))
    means = decoder(torch.randn(64, 8)).mean((0, 2, 3))
    assert float(means[0]) < float(means[1]) < float(means[2])


def test_decorrelated_inputs_have_unit_covariance() -> None:
    torch.manual_seed(0)
    mix = torch.tensor([[0.2, 0.0, 0.0], [0.19, 0.03, 0.0], [0.18, 0.02, 0.04]])
    pixels = torch.randn(50_000, 3) @ mix.T + torch.tensor([0.9, 0.5, 0.1])
    layer = Decorrelation(3)
    layer.fit(pixels.mean(0), pixels.T.cov())
    outputs = layer(pixels.T.reshape(1, 3, 250, 200))[0].flatten(1)
    torch.testing.assert_close(outputs.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
    variances = outputs.cov().diagonal()
    torch.testing.assert_close(variances, torch.ones(3), atol=0.15, rtol=0)
    assert (outputs.cov() - torch.diag(variances)).abs().max() < 0.08


def test_independent_channels_keep_their_order() -> None:
    layer = Decorrelation(3)
    layer.fit(torch.zeros(3), torch.diag(torch.tensor([0.04, 0.09, 0.01])))
    torch.testing.assert_close(
        layer.get_buffer("matrix"),
        torch.diag(torch.tensor([5.0, 1 / 0.3, 10.0])),
        rtol=0.01,
        atol=0,
    )


def test_a_constant_channel_gives_finite_inputs() -> None:
    layer = Decorrelation(2)
    layer.fit(torch.tensor([0.5, 1.0]), torch.tensor([[0.25, 0.0], [0.0, 0.0]]))
    outputs = layer(torch.ones(1, 2, 4, 4))
    torch.testing.assert_close(outputs[0, 1], torch.zeros(4, 4))
    assert outputs.isfinite().all()


def test_an_unfitted_layer_changes_nothing() -> None:
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(Decorrelation(3)(images), images)
