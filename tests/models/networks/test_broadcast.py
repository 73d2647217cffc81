"""The spatial broadcast decoder: coordinates, and shifts of the image along them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from latent_atlas.models.networks.broadcast import (
    CONVOLUTIONS,
    BroadcastDecoder,
    BroadcastEncoder,
    SmallBroadcastDecoder,
    SmallBroadcastEncoder,
    planes,
)

DECODERS = [BroadcastDecoder, SmallBroadcastDecoder]
SIDES = {BroadcastDecoder: 1, SmallBroadcastDecoder: 4}
"""Image pixels per grid cell."""


def test_coordinates_of_an_image_go_from_minus_one_to_one() -> None:
    inner = planes(5, 3, 0)
    torch.testing.assert_close(inner[0, :, 0], torch.tensor([-1, -0.5, 0, 0.5, 1]))
    torch.testing.assert_close(inner[1, 0], torch.tensor([-1.0, 0, 1]))
    assert (inner[0] == inner[0, :, :1]).all()
    assert (inner[1] == inner[1, :1]).all()
    wide = planes(5, 3, 2)
    assert wide.shape == (2, 9, 7)
    torch.testing.assert_close(wide[:, 2:-2, 2:-2], inner)
    torch.testing.assert_close(wide[0, :, 0], torch.linspace(-2, 2, 9))
    torch.testing.assert_close(wide[1, 0], torch.linspace(-3, 3, 7))


@pytest.mark.parametrize("shape", [(32, 32, 1), (96, 64, 3), (17, 31, 3), (16, 53, 1)])
@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [(BroadcastEncoder, BroadcastDecoder), (SmallBroadcastEncoder, SmallBroadcastDecoder)],
)
def test_any_size(
    encoder: type[BroadcastEncoder], decoder: type[BroadcastDecoder], shape: tuple[int, int, int]
) -> None:
    height, width, channels = shape
    codes = encoder(shape, 5, 2)(torch.rand(2, channels, height, width))
    assert [tuple(code.shape) for code in codes] == [(2, 5), (2, 5)]
    assert decoder(shape, 5)(codes[0]).shape == (2, channels, height, width)


def test_an_image_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(ValueError, match="found 15×40, expected sides of 16 or more"):
        BroadcastEncoder((15, 40, 1), 2, 1)


def weights(decoder: BroadcastDecoder) -> Tensor:
    """The weights of the first convolution: outer × (latents, down, right) × 3×3."""
    return decoder.convolutions[0].get_parameter("weight").data


@pytest.mark.parametrize(("axis", "shift"), [(2, (0, 1)), (1, (1, 0))])
@pytest.mark.parametrize("decoder", DECODERS)
def test_a_latent_added_to_a_coordinate_shifts_the_image(
    decoder: type[BroadcastDecoder], axis: int, shift: tuple[int, int]
) -> None:
    """With the negated weights of a coordinate, a latent shifts the image by whole cells.

    The shift is exact up to the border; with padding it would not be.
    """
    torch.manual_seed(0)
    built = decoder((28, 20, 1), 3)
    weights(built)[:, 0] = -weights(built)[:, 2 + axis]
    side = SIDES[decoder]
    cells = (28 // side, 20 // side)[axis - 1]
    codes = torch.randn(4, 3)
    moved = codes.clone()
    moved[:, 0] += 2 / (cells - 1)
    down, right = (side * step for step in shift)
    before, after = built(codes), built(moved)
    assert before.std() > 0
    torch.testing.assert_close(
        after[:, :, down:, right:], before[:, :, : 28 - down, : 20 - right], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("axis", [1, 2])
def test_without_a_coordinate_the_image_is_constant_along_it(axis: int) -> None:
    torch.manual_seed(0)
    built = BroadcastDecoder((17, 19, 1), 3)
    weights(built)[:, 2 + axis] = 0
    outputs = built(torch.randn(2, 3))
    torch.testing.assert_close(outputs.diff(dim=1 + axis).abs().max(), torch.zeros(()))
    assert outputs.diff(dim=4 - axis).abs().max() > 1e-4


def test_the_pixels_of_a_cell_are_in_order() -> None:
    """A last layer with one constant per pixel of a cell repeats these constants."""
    built = BroadcastDecoder((6, 5, 1), 1, maps=1, side=3)
    torch.nn.init.zeros_(built.last.weight)
    built.last.get_parameter("bias").data.copy_(torch.arange(9.0))
    cell = torch.arange(9.0).view(3, 3)
    torch.testing.assert_close(built(torch.zeros(1, 1))[0, 0], cell.repeat(2, 2)[:, :5])


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_decoder_starts_at_the_mean_per_channel(decoder: type[BroadcastDecoder]) -> None:
    built = decoder((18, 30, 2), 3)
    torch.nn.init.zeros_(built.last.weight)
    means = torch.tensor([-2.0, 5.0])
    built.start_at(means.view(2, 1, 1).expand(2, 18, 30))
    outputs = built(torch.zeros(1, 3))
    torch.testing.assert_close(outputs, means.view(1, 2, 1, 1).expand(1, 2, 18, 30))


def test_three_convolutions_of_64_maps_precede_the_last() -> None:
    decoder = BroadcastDecoder((64, 64, 3), 10)
    count = sum(parameter.numel() for parameter in decoder.parameters())
    assert CONVOLUTIONS == 3
    assert count == (12 * 9 * 64 + 64) + 2 * (64 * 9 * 64 + 64) + (64 * 3 + 3)
