"""The fully connected network: shapes and initial biases."""

from __future__ import annotations

import torch

from latent_atlas.models.networks.mlp import MlpDecoder, MlpEncoder


def test_any_size() -> None:
    images = torch.rand(3, 1, 28, 20)
    (codes,) = MlpEncoder((28, 20, 1), 2, 1)(images)
    assert codes.shape == (3, 2)
    assert MlpDecoder((28, 20, 1), 2)(codes).shape == images.shape


def test_the_decoder_starts_at_the_given_outputs() -> None:
    outputs = torch.linspace(-3, 3, 3 * 32 * 32).view(3, 32, 32)
    decoder = MlpDecoder((32, 32, 3), 2)
    decoder.start_at(outputs)
    torch.testing.assert_close(decoder.outputs.bias.detach(), outputs.flatten())
