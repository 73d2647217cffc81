"""The fast operations against their plain formulas in PyTorch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from latent_atlas.models.fast_ops import BernoulliLoss, UpConvolution


def fast_loss(outputs: Tensor, images: Tensor) -> Tensor:
    loss: Tensor = BernoulliLoss.apply(outputs, images)
    return loss


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("scale", [0, 1, 20])
@pytest.mark.parametrize("shape", [(7, 3, 8, 8), (2, 3, 96, 64), (3, 1, 1, 67), (2, 2, 7, 11)])
def test_the_bernoulli_loss_is_pytorchs_binary_cross_entropy(
    shape: tuple[int, ...], scale: float, layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(shape, generator=generator).mul(scale).to(memory_format=layout)
    outputs.requires_grad_()
    images = torch.rand(shape, generator=generator)
    fast = fast_loss(outputs, images)
    (gradient,) = torch.autograd.grad(fast.sum(), outputs)
    plain = F.binary_cross_entropy_with_logits(outputs, images, reduction="none").flatten(1).sum(1)
    (expected,) = torch.autograd.grad(plain.sum(), outputs)
    torch.testing.assert_close(fast, plain)
    torch.testing.assert_close(gradient, expected)


def test_the_bernoulli_gradient_is_exact_in_double_precision() -> None:
    outputs = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    images = torch.rand(2, 1, 3, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda o: fast_loss(o, images), (outputs,))


def test_the_bernoulli_loss_of_nan_is_nan() -> None:
    outputs = torch.zeros(2, 3, 8, 8)
    outputs[1, 2, 3, 4] = torch.nan
    loss = fast_loss(outputs, torch.rand(2, 3, 8, 8))
    assert loss.isnan().tolist() == [False, True]


def plain_convolution(fast: UpConvolution) -> torch.nn.ConvTranspose2d:
    inner, outer = fast.weight.shape[:2]
    plain = torch.nn.ConvTranspose2d(inner, outer, 5, stride=2, padding=2, output_padding=1)
    plain.to(fast.weight.dtype).load_state_dict(fast.state_dict())
    return plain


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (1, 2)])
def test_an_up_convolution_is_a_transposed_convolution(height: int, width: int) -> None:
    fast = UpConvolution(4, 3).double()
    plain = plain_convolution(fast)
    hidden = torch.randn(2, 4, height, width, dtype=torch.float64)
    torch.testing.assert_close(fast(hidden), plain(hidden))
    for module in (fast, plain):
        module(hidden).square().sum().backward()
    for ours, expected in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad)


def test_an_up_convolution_of_many_channels_is_a_transposed_one_in_both_precisions() -> None:
    fast = UpConvolution(16, 8)
    plain = plain_convolution(fast)
    hidden = torch.randn(3, 16, 6, 4)
    assert torch.equal(fast(hidden), plain(hidden))
    with torch.autocast("cpu", torch.bfloat16):
        half = fast(hidden.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), plain(hidden), rtol=0.02, atol=0.02)
