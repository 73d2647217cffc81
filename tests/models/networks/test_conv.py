"""Networks and likelihoods: the published sizes, and agreement with PyTorch's own losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from latent_atlas.data.pixels import to_images, to_pixels
from latent_atlas.models.networks.conv import (
    LIKELIHOODS,
    ConvDecoder,
    ConvEncoder,
    MlpDecoder,
    MlpEncoder,
    UpConvolution,
    bernoulli_loss,
    gaussian_loss,
)


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


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (1, 2)])
def test_an_up_convolution_is_a_transposed_convolution(height: int, width: int) -> None:
    ours = UpConvolution(4, 3).double()
    theirs = torch.nn.ConvTranspose2d(4, 3, 5, stride=2, padding=2, output_padding=1).double()
    theirs.load_state_dict(ours.state_dict())
    hidden = torch.randn(2, 4, height, width, dtype=torch.float64)
    torch.testing.assert_close(ours(hidden), theirs(hidden))
    for module in (ours, theirs):
        module(hidden).square().sum().backward()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_an_up_convolution_of_many_channels_is_a_transposed_one_in_either_precision() -> None:
    ours = UpConvolution(16, 8)
    theirs = torch.nn.ConvTranspose2d(16, 8, 5, stride=2, padding=2, output_padding=1)
    theirs.load_state_dict(ours.state_dict())
    hidden = torch.randn(3, 16, 6, 4)
    assert torch.equal(ours(hidden), theirs(hidden))
    with torch.autocast("cpu", torch.bfloat16):
        half = ours(hidden.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), theirs(hidden), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("shape", [(32, 32, 1), (96, 64, 3), (64, 128, 3)])
def test_conv_shapes(shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    codes = ConvEncoder(shape, 5, 2)(torch.rand(4, channels, height, width))
    assert [tuple(code.shape) for code in codes] == [(4, 5), (4, 5)]
    assert ConvDecoder(shape, 5)(codes[0]).shape == (4, channels, height, width)


@pytest.mark.parametrize("shape", [(28, 28, 1), (33, 32, 1), (0, 32, 3)])
def test_conv_refuses_other_sizes(shape: tuple[int, int, int]) -> None:
    for network in (lambda: ConvEncoder(shape, 2, 1), lambda: ConvDecoder(shape, 2)):
        with pytest.raises(ValueError, match="multiples of 32"):
            network()


def test_mlp_takes_any_size() -> None:
    images = torch.rand(3, 1, 28, 20)
    (codes,) = MlpEncoder((28, 20, 1), 2, 1)(images)
    assert MlpDecoder((28, 20, 1), 2)(codes).shape == images.shape


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("scale", [0, 1, 20])
@pytest.mark.parametrize("shape", [(7, 3, 8, 8), (2, 3, 96, 64), (3, 1, 1, 67), (2, 2, 7, 11)])
def test_bernoulli_is_the_binary_cross_entropy_of_pytorch(
    shape: tuple[int, ...], scale: float, layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(shape, generator=generator).mul(scale).to(memory_format=layout)
    outputs.requires_grad_()
    images = torch.rand(shape, generator=generator)
    mine = bernoulli_loss(outputs, images)
    (gradient,) = torch.autograd.grad(mine.sum(), outputs)
    theirs = F.binary_cross_entropy_with_logits(outputs, images, reduction="none").flatten(1).sum(1)
    (expected,) = torch.autograd.grad(theirs.sum(), outputs)
    torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(gradient, expected)


def test_bernoulli_gradient_is_right_to_double_precision() -> None:
    outputs = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    images = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda o: bernoulli_loss(o, images), (outputs,))


def test_bernoulli_passes_on_what_is_no_number() -> None:
    outputs = torch.zeros(2, 3, 8, 8)
    outputs[1, 2, 3, 4] = torch.nan
    loss = bernoulli_loss(outputs, torch.rand(2, 3, 8, 8))
    assert loss.isnan().tolist() == [False, True]


@given(st.floats(-1e4, 1e4), st.floats(0, 1))
def test_bernoulli_never_overflows(logit: float, pixel: float) -> None:
    outputs = torch.full((1, 1, 1, 1), logit)
    loss = bernoulli_loss(outputs, torch.full((1, 1, 1, 1), pixel)).item()
    assert loss >= -1e-3
    assert loss <= abs(logit) + 1


def test_gaussian_is_half_the_squared_error() -> None:
    outputs, images = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.5)
    assert gaussian_loss(outputs, images).tolist() == [3 * 16 * 0.25 / 2] * 2


def test_losses_stay_in_float32_for_bfloat16_outputs() -> None:
    outputs = torch.randn(2, 3, 8, 8).to(torch.bfloat16)
    for likelihood in LIKELIHOODS.values():
        assert likelihood.loss(outputs, torch.rand(2, 3, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("name", ["bernoulli", "gaussian"])
def test_the_inverse_of_a_likelihood_is_its_mean(name: str) -> None:
    images = torch.linspace(0.01, 0.99, 12).view(1, 3, 2, 2)
    likelihood = LIKELIHOODS[name]
    torch.testing.assert_close(likelihood.mean(likelihood.inverse(images)), images)
    assert likelihood.inverse(torch.tensor([0.0, 1.0])).isfinite().all()


def test_decoders_start_at_the_mean() -> None:
    outputs = torch.linspace(-3, 3, 3 * 32 * 32).view(3, 32, 32)
    conv, mlp = ConvDecoder((32, 32, 3), 2), MlpDecoder((32, 32, 3), 2)
    conv.start_at(outputs)
    mlp.start_at(outputs)
    torch.testing.assert_close(
        conv.convolutions[-1].get_parameter("bias").detach(), outputs.mean((1, 2))
    )
    torch.testing.assert_close(mlp.outputs.bias.detach(), outputs.flatten())


def test_pixels_and_images_are_inverse() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).repeat(1, 1, 1, 3)
    images = to_images(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert images.max() == 1.0
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(to_pixels(images), pixels)
    assert to_pixels(torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)).flatten().tolist() == [0, 255]
