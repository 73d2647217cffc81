"""The networks of the scene-mixing thesis: parameter counts, shapes and normalisation."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from latent_atlas.config.code_grid import cells_of, grid_of
from latent_atlas.models.networks import dense
from latent_atlas.models.networks.critics import OriginClassifier, PatchDiscriminator
from latent_atlas.models.networks.dense import (
    BroadcastDecoder,
    DenseDecoder,
    DenseEncoder,
    EncoderBlock,
    coordinates,
)
from tests.conftest import ROOT

SHAPE = (64, 64, 3)
NARROW: dict[str, Any] = {"width": 0.125, "depth": 0.25}


def parameters(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


PUBLISHED: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "encoder": (2_800_512, lambda: DenseEncoder(SHAPE, 768, 1)),
    "decoder": (5_300_339, lambda: DenseDecoder(SHAPE, 768)),
    "discriminator": (1_188_391, lambda: PatchDiscriminator(3)),
    "classifier": (45_355_044, lambda: OriginClassifier(64, 64, 3)),
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_network_has_the_published_number_of_parameters(name: str) -> None:
    count, build = PUBLISHED[name]
    assert parameters(build()) == count


def test_the_expected_counts_are_the_published_ones() -> None:
    path = ROOT.parent / "shared/reference/published/scenes_parameters.csv"
    if not path.is_file():
        pytest.skip("needs the published tables in ../shared")
    with path.open() as file:
        rows = {row["network"]: int(row["parameters"]) for row in csv.DictReader(file)}
    assert rows == {name: count for name, (count, _) in PUBLISHED.items()}


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_grid_has_even_sides_that_divide_the_image(rows: int, columns: int) -> None:
    height, width = 4 * rows, 4 * columns
    down, across = grid_of(height, width)
    assert down % 2 == across % 2 == height % down == width % across == 0
    assert height // down == width // across <= 64
    assert cells_of(height, width) == down * across


@pytest.mark.parametrize(
    ("size", "grid"),
    [((32, 32), (2, 2)), ((64, 64), (2, 2)), ((128, 128), (2, 2)), ((96, 64), (6, 4))],
)
def test_grids(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert grid_of(*size) == grid


def test_an_image_that_cannot_be_cut_into_quadrants_is_refused() -> None:
    with pytest.raises(ValueError, match="4 must divide both sides of an image; found 30×32"):
        grid_of(30, 32)
    with pytest.raises(ValueError, match="latent_dim 6 must be a multiple of the 4 cells"):
        DenseEncoder(SHAPE, 6, 1)


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("decoder", [DenseDecoder, BroadcastDecoder])
def test_shapes(size: int, decoder: type[DenseDecoder]) -> None:
    shape = (size, size, 3)
    codes = DenseEncoder(shape, 16, 2, **NARROW)(torch.rand(2, 3, size, size))
    assert [code.shape for code in codes] == [(2, 16), (2, 16)]
    assert decoder(shape, 16, **NARROW)(codes[0]).shape == (2, 3, size, size)


def test_fewer_halvings_make_more_cells() -> None:
    assert grid_of(64, 64, 3) == (8, 8)
    assert cells_of(96, 96, 4) == 36
    encoder = DenseEncoder(SHAPE, 128, 1, **NARROW, halvings=3)
    decoder = DenseDecoder(SHAPE, 128, **NARROW, halvings=3)
    assert len(encoder.blocks) == len(decoder.blocks) == 3
    assert decoder(encoder(torch.rand(1, 3, 64, 64))[0]).shape == (1, 3, 64, 64)
    for most in (0, 7):
        with pytest.raises(ValueError, match=f"found {most}, expected a number from 1 to 6"):
            grid_of(64, 64, most)


def test_normalising_each_map_once_equals_instance_norm_before_every_layer() -> None:
    torch.manual_seed(0)
    encoder = DenseEncoder((32, 32, 3), 16, 1, width=0.25, depth=0.5)
    images = torch.rand(2, 3, 32, 32)
    maps = encoder.first(torch.cat([images, coordinates(images)], 1))
    for block, transition in zip(encoder.blocks, encoder.transitions, strict=True):
        assert isinstance(block, EncoderBlock)
        for layer in block:
            maps = torch.cat([maps, layer(F.relu(F.instance_norm(maps)))], 1)
        maps = F.max_pool2d(transition(F.relu(F.instance_norm(maps))), 2)
    expected = encoder.last(maps).permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(encoder(images)[0], expected, rtol=1e-4, atol=1e-4)


def test_coordinates_go_down_and_right() -> None:
    planes = coordinates(torch.zeros(1, 3, 3, 2))
    assert planes[0, 0].tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert planes[0, 1].tolist() == [[-1, 1]] * 3


def test_a_code_is_ordered_cell_by_cell_and_row_by_row() -> None:
    decoder, inputs = DenseDecoder(SHAPE, 8, **NARROW), []
    decoder.transitions[0].register_forward_pre_hook(
        lambda _, arguments: inputs.append(arguments[0])
    )
    decoder(torch.arange(8.0)[None])
    grid = inputs[0][0, :, ::2, ::2]  # each pixel is repeated twice
    assert grid.tolist() == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


def test_every_convolution_of_the_decoder_has_norm_one() -> None:
    torch.manual_seed(0)
    decoder = DenseDecoder((32, 32, 3), 64, width=0.25, depth=0.25)
    layers = [layer for layer in decoder.modules() if isinstance(layer, nn.Conv2d)]
    decoder(torch.rand(1, 64))
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, 0.05)


def test_spectral_norms_are_part_of_the_state() -> None:
    decoder = DenseDecoder((32, 32, 3), 64, **NARROW)
    again = DenseDecoder((32, 32, 3), 64, **NARROW)
    decoder(torch.rand(1, 64))  # updates the estimates
    assert any(name.endswith("._u") for name in decoder.state_dict())
    again.load_state_dict(decoder.state_dict())
    codes = torch.rand(1, 64)
    assert torch.equal(decoder.eval()(codes), again.eval()(codes))


def test_scaling_rounds_and_keeps_one() -> None:
    assert [dense.scaled(16, factor) for factor in (1.0, 0.25, 0.01)] == [16, 4, 1]
