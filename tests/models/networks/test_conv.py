"""The convolutional network: published sizes, shapes and initial biases."""

from __future__ import annotations

import pytest
import torch

from latent_atlas.models.networks.conv import ConvDecoder, ConvEncoder


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_thesis_encoder_has_768_features_and_its_parameters() -> None:
    encoder = ConvEncoder((96, 64, 3), 10, heads=2)
    convolutions = sum(25 * i * o + o for i, o in [(3, 8), (8, 16), (16, 32), (32, 64), (64, 128)])
    assert parameters(encoder) == convolutions + 2 * (768 * 10 + 10)


def test_the_decoder_mirrors_the_encoder() -> None:
    decoder = ConvDecoder((96, 64, 3), 10)
    convolutions = sum(25 * i * o + o for i, o in [(128, 64), (64, 32), (32, 16), (16, 8), (8, 3)])
    assert parameters(decoder) == convolutions + 10 * 768 + 768


@pytest.mark.parametrize("shape", [(32, 32, 1), (96, 64, 3), (64, 128, 3)])
def test_shapes_of_codes_and_outputs(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    codes = ConvEncoder(shape, 5, 2)(torch.rand(4, channels, height, width))
    assert [tuple(code.shape) for code in codes] == [(4, 5), (4, 5)]
    assert ConvDecoder(shape, 5)(codes[0]).shape == (4, channels, height, width)


@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 32, 1), (0, 32, 3)])
def test_other_sizes_are_refused(shape: tuple[int, int, int]) -> None:
    for network in (lambda: ConvEncoder(shape, 2, 1), lambda: ConvDecoder(shape, 2)):
        with pytest.raises(ValueError, match="multiples of 32"):
            network()


def test_the_decoder_starts_at_the_mean_per_channel() -> None:
    outputs = torch.linspace(-3, 3, 3 * 32 * 32).view(3, 32, 32)
    decoder = ConvDecoder((32, 32, 3), 2)
    decoder.start_at(outputs)
    bias = decoder.convolutions[-1].get_parameter("bias").detach()
    torch.testing.assert_close(bias, outputs.mean((1, 2)))
