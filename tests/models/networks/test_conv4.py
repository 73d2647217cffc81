"""The network of the paintings: sizes, parameters and refused shapes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from latent_atlas.models.build import new_decoder, new_encoder
from latent_atlas.models.networks.conv4 import PUBLISHED_CODE, Conv4Decoder, Conv4Encoder


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_size() -> None:
    with torch.device("meta"):
        encoder, decoder = Conv4Encoder((64, 64, 3)), Conv4Decoder((64, 64, 3))
    widths = (3, 32, 64, 128, 256)
    convolutions = sum(16 * i * o + o for i, o in pairwise(widths))
    assert PUBLISHED_CODE == 4096
    assert parameters(encoder) == convolutions + 4096 * 4096 + 4096
    mirrored = sum(16 * i * o + o for i, o in pairwise(widths[::-1]))
    assert parameters(decoder) == mirrored + 4096 * 4096 + 4096


@pytest.mark.parametrize("shape", [(16, 16, 1), (48, 32, 3), (64, 64, 3), (32, 80, 3)])
@pytest.mark.parametrize("latent_dim", [1, 7])
def test_any_size_divisible_by_16_and_any_code(
    shape: tuple[int, int, int], latent_dim: int
) -> None:
    height, width, channels = shape
    images = torch.rand(3, channels, height, width)
    codes = Conv4Encoder(shape, latent_dim, 2, width=0.1)(images)
    assert [tuple(code.shape) for code in codes] == [(3, latent_dim)] * 2
    assert Conv4Decoder(shape, latent_dim, width=0.1)(codes[0]).shape == (
        3,
        channels,
        height,
        width,
    )


@pytest.mark.parametrize("shape", [(24, 32, 3), (32, 40, 1), (0, 16, 3)])
def test_other_sizes_are_refused(shape: tuple[int, int, int]) -> None:
    for network in (lambda: Conv4Encoder(shape, 2, 1), lambda: Conv4Decoder(shape, 2)):
        with pytest.raises(ValueError, match="multiples of 16"):
            network()


def test_codes_are_not_rectified() -> None:
    torch.manual_seed(0)
    (codes,) = Conv4Encoder((32, 32, 3), 64, width=0.25)(torch.rand(8, 3, 32, 32))
    assert codes.min() < 0 < codes.max()


def test_the_quarter_is_the_same_network_with_fewer_channels() -> None:
    small, whole = (new_encoder(name, (32, 32, 3), 5, 1) for name in ("conv4_quarter", "conv4"))
    assert [layer.out_channels for layer in small.convolutions] == [8, 16, 32, 64]  # type: ignore[union-attr]
    assert [layer.out_channels for layer in whole.convolutions] == [32, 64, 128, 256]  # type: ignore[union-attr]
    decoder = new_decoder("conv4_quarter", (32, 32, 3), 5)
    outputs = torch.linspace(-1, 1, 3 * 32 * 32).view(3, 32, 32)
    decoder.start_at(outputs)
    assert isinstance(decoder, Conv4Decoder)
    bias = decoder.convolutions[-1].get_parameter("bias").detach()
    torch.testing.assert_close(bias, outputs.mean((1, 2)))
